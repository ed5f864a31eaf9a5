package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Proxies says which targets are called through a proxy. The zero value sends
// everything directly. The variables are HTTPS_PROXY for https targets,
// HTTP_PROXY for http ones, and NO_PROXY for the exceptions; each may be
// written in lower case, upper case wins. Targets on the machine itself are
// always called directly.
type Proxies struct {
	http, https *url.URL
	// direct are the exceptions of NO_PROXY; all stands for its "*".
	direct []exception
	all    bool
}

// exception is one entry of NO_PROXY: a network, or a name with its
// subdomains (with the subdomains only, when it was written with a first
// dot); a port of 0 means any.
type exception struct {
	prefix netip.Prefix
	suffix string
	port   uint16
}

// proxiesFromEnv reads the variables. Its errors name the variable and never
// its value, which may hold a password.
func proxiesFromEnv(getenv func(string) string) (Proxies, error) {
	either := func(upper string) string {
		if v := getenv(upper); v != "" {
			return v
		}
		return getenv(strings.ToLower(upper))
	}
	var p Proxies
	var err error
	// In a CGI program HTTP_PROXY is what the caller sent as "Proxy:".
	if getenv("REQUEST_METHOD") == "" {
		if p.http, err = parseProxy(either("HTTP_PROXY")); err != nil {
			return Proxies{}, fmt.Errorf("HTTP_PROXY: %w", err)
		}
	}
	if p.https, err = parseProxy(either("HTTPS_PROXY")); err != nil {
		return Proxies{}, fmt.Errorf("HTTPS_PROXY: %w", err)
	}
	p.setDirect(either("NO_PROXY"))
	return p, nil
}

// parseProxy reads a proxy's URL; a bare host:port is an http proxy.
func parseProxy(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("not the URL of a proxy; write it like http://proxy.example:3128")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, errors.New("the proxy's scheme is not one of http, https, socks5, socks5h")
}

// setDirect reads NO_PROXY. Entries that mean nothing are skipped, as every
// program does that shares the variable; one entry less only makes a call
// take the proxy.
func (p *Proxies) setDirect(text string) {
	for _, field := range strings.Split(text, ",") {
		field = strings.ToLower(strings.TrimSpace(field))
		if field == "*" {
			p.all = true
		} else if e, ok := parseException(field); ok {
			p.direct = append(p.direct, e)
		}
	}
}

// parseException reads one lower-case entry other than "*".
func parseException(field string) (e exception, ok bool) {
	if prefix, err := netip.ParsePrefix(field); err == nil {
		return exception{prefix: prefix.Masked()}, true
	}
	host, port := strings.Trim(field, "[]"), uint16(0)
	if _, err := netip.ParseAddr(host); err != nil {
		if host, port, err = splitPort(field); err != nil || host == "" {
			return exception{}, false
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.WithZone("").Unmap()
		return exception{prefix: netip.PrefixFrom(addr, addr.BitLen()), port: port}, true
	}
	return exception{suffix: strings.TrimPrefix(host, "*"), port: port}, true
}

// forTarget returns the proxy to call t through, or nil to call it directly.
func (p *Proxies) forTarget(t target, scheme string) *url.URL {
	proxy := p.http
	if strings.EqualFold(scheme, "https") {
		proxy = p.https
	}
	if proxy == nil || p.all || t.addr.IsLoopback() || t.name == "localhost" {
		return nil
	}
	for _, e := range p.direct {
		if e.matches(t) {
			return nil
		}
	}
	return proxy
}

// matches reports whether t is called directly because of e. Networks match
// addresses in the URL only, never what a name resolves to, as everywhere.
func (e exception) matches(t target) bool {
	switch {
	case e.port != 0 && e.port != t.port:
		return false
	case t.addr.IsValid():
		return e.prefix.IsValid() && e.prefix.Contains(t.addr.Unmap())
	case e.suffix == "" || t.name == "":
		return false
	case e.suffix[0] == '.':
		return strings.HasSuffix(t.name, e.suffix)
	}
	return t.name == e.suffix || strings.HasSuffix(t.name, "."+e.suffix)
}
