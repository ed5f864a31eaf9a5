// Package egress decides which addresses may be called, and decides it on the
// address that is actually dialled.
//
// There are two tiers. [Public] is for targets that a repository names: only
// public addresses may be called, and nothing can switch that off. [Governed]
// is for the operator's own relays, which live on loopback or a company network
// as often as not: private addresses may be called, but never the ones that
// are no host at all (unspecified, multicast, reserved) nor the ones where a
// cloud keeps credentials (link-local and metadata), in any spelling: an IPv6
// address that carries an IPv4 address is judged by what it carries.
//
// A check of the URL alone is not enough, because a name can resolve to
// something else the next moment. What a [Guard] does with a call is this:
//
//  1. The URL is read: http or https, a port that exists, and a host that is a
//     name or an address. An address may be spelled in every way that browsers
//     know (10.1, 0x0a000001, 167772161); what looks like one and is none is
//     refused, because the next program might read it differently.
//  2. A name that is refused by itself ends it: localhost in the public tier,
//     the names of metadata services in both.
//  3. The name is resolved, once. When one address of the answer is refused the
//     call is, even if another one would be allowed.
//  4. One of these addresses is dialled, without asking any resolver again.
//     Control judges each socket before it connects.
//  5. Answers are only read: a redirect is not followed, so there is no second
//     address to judge.
//
// [Guard.CheckURL] does the first two steps alone, to tell people early.
//
// The operator tightens both tiers by environment, see [FromEnv]. Nothing
// loosens them.
package egress

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
)

// Tier says how much may be called. Its zero value is the strict one.
type Tier int

const (
	// Public allows public addresses only.
	Public Tier = iota
	// Governed also allows private, loopback, shared (CGNAT) and unique local addresses.
	Governed
)

// Config is what a [Guard] is made of. [FromEnv] fills everything but Tier;
// the zero value is a guard of the public tier that reads no environment.
type Config struct {
	// Tier is the tier of the targets that will be called.
	Tier Tier
	// PublicOnly holds the governed tier to the rules of the public one.
	PublicOnly bool
	// Allow, unless empty, lists the only targets that may be called. It
	// never allows what the tier refuses.
	Allow AllowList
	// Proxies are used in the governed tier, and not with PublicOnly.
	Proxies Proxies
	// Roots returns the certificates that https targets are verified
	// against; it is called when the first such target is called. Nil, or a
	// nil pool, means the platform's own.
	Roots func() (*x509.CertPool, error)
	// Lookup resolves a host name; nil means the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Guard judges calls and makes the clients that are held to its judgement. It
// is safe for concurrent use.
type Guard struct {
	// table holds the rules of the tier, as tightened.
	table   *table
	allow   AllowList
	proxies Proxies
	roots   func() (*x509.CertPool, error)
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
	// dial connects to one judged address; tests of the public tier replace
	// it, because they may not leave the machine.
	dial func(ctx context.Context, d *net.Dialer, to netip.AddrPort) (net.Conn, error)

	// transports has one per route, made when first needed.
	mu         sync.Mutex
	transports map[route]*http.Transport
}

// New returns the guard of a tier.
func New(c Config) *Guard {
	strict := c.Tier != Governed || c.PublicOnly
	g := &Guard{
		table:  newTable(strict),
		allow:  c.Allow,
		roots:  c.Roots,
		lookup: c.Lookup,
		dial: func(ctx context.Context, d *net.Dialer, to netip.AddrPort) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", to.String())
		},
	}
	if !strict {
		g.proxies = c.Proxies
	}
	if g.lookup == nil {
		g.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return g
}

// Refusal is the error of every call that a guard refuses. It never holds
// more of the URL than its host.
type Refusal struct {
	// Host is the host as the URL spells it; empty when the URL has none.
	Host string
	// Addr is the address that was judged; invalid when the URL or the name
	// was refused before any address was known.
	Addr netip.Addr
	// Rule names what was broken, such as "link-local (169.254.0.0/16)".
	Rule string
}

// Error names the address and the rule.
func (r *Refusal) Error() string {
	what := "the URL"
	switch {
	case r.Addr.IsValid() && r.Host != "" && r.Host != r.Addr.String():
		what = r.Addr.String() + " (" + r.Host + ")"
	case r.Addr.IsValid():
		what = r.Addr.String()
	case r.Host != "":
		what = r.Host
	}
	return "egress refused " + what + ": " + r.Rule
}

// Reason returns "blocked", the reason of the audit line. Senders ask a dial
// error for it, so that they need not know this package.
func (r *Refusal) Reason() string { return "blocked" }

// CheckURL judges a URL without resolving or dialling anything: its scheme,
// its port, an address written as its host in any spelling, and a name that is
// refused by itself. The error is a [*Refusal]. That CheckURL allows a name
// says nothing about the addresses behind it; they are judged when dialled,
// as is a host with non-ASCII characters.
func (g *Guard) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return &Refusal{Rule: "the URL cannot be parsed"}
	}
	_, err = g.checkURL(u)
	return err
}

// checkURL is CheckURL for a parsed URL; it returns what would be dialled.
func (g *Guard) checkURL(u *url.URL) (target, error) {
	if s := strings.ToLower(u.Scheme); s != "http" && s != "https" {
		return target{}, &Refusal{Rule: "the scheme is neither http nor https"}
	}
	t, err := parseTarget(u.Hostname(), u.Port(), u.Scheme)
	if err != nil {
		return target{}, err
	}
	return t, g.checkTarget(t)
}

// checkTarget judges what can be judged of a target before it is resolved.
func (g *Guard) checkTarget(t target) error {
	if t.addr.IsValid() {
		return g.judge(t, t.addr)
	}
	if rule := g.table.nameRule(t.name); rule != "" {
		return &Refusal{Host: t.host, Rule: rule}
	}
	if isASCII(t.name) && !g.allow.mayAdmit(t) {
		return &Refusal{Host: t.host, Rule: notListed}
	}
	return nil
}

// judge judges one address of a target.
func (g *Guard) judge(t target, addr netip.Addr) error {
	if rule := g.table.rule(addr); rule != "" {
		return &Refusal{Host: t.host, Addr: addr, Rule: rule}
	}
	if !g.allow.admitsName(t) && !g.allow.admitsAddr(addr, t.port) {
		return &Refusal{Host: t.host, Addr: addr, Rule: notListed}
	}
	return nil
}

// Control judges the address that a socket is about to be connected to; it
// has the type of [net.Dialer].Control. It knows addresses only: with an
// allow list it refuses what only a name on the list would admit, which the
// guard's own clients know to tell apart.
func (g *Guard) Control(network, address string, _ syscall.RawConn) error {
	return g.control(target{}, network, address)
}

// control judges a socket that is being made for t.
func (g *Guard) control(t target, network, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return &Refusal{Host: t.host, Rule: "not a TCP address"}
	}
	t.port = ap.Port()
	return g.judge(t, ap.Addr())
}
