package egress

import (
	"net/netip"
	"strings"
)

// special is one line of the table of special-purpose addresses.
type special struct {
	prefix string
	name   string
	// always marks what the governed tier refuses too.
	always bool
}

// specials4 and specials6 follow the IANA special-purpose registries
// (iana-ipv4-special-registry, iana-ipv6-special-registry), plus multicast and
// the addresses where clouds serve credentials. The first match names the
// refusal, so single addresses come before the blocks around them. Blocks
// that the registries call globally reachable (AS112, AMT) are listed too:
// what answers there is whatever the nearest router announces.
var specials4 = [...]special{
	{"169.254.169.254/32", "cloud metadata", true}, // AWS, Azure, GCP, OpenStack and others
	{"100.100.100.200/32", "cloud metadata", true}, // Alibaba Cloud
	{"168.63.129.16/32", "cloud metadata", true},   // Azure's wire server, inside public space
	{"192.0.0.192/32", "cloud metadata", true},     // Oracle Cloud
	{"0.0.0.0/8", "unspecified", true},             // RFC 791; Linux connects it to loopback
	{"10.0.0.0/8", "private use", false},           // RFC 1918
	{"100.64.0.0/10", "shared address space", false},
	{"127.0.0.0/8", "loopback", false},
	{"169.254.0.0/16", "link-local", true}, // RFC 3927
	{"172.16.0.0/12", "private use", false},
	{"192.0.0.0/24", "IETF protocol assignments", false}, // RFC 6890
	{"192.0.2.0/24", "documentation", false},             // RFC 5737
	{"192.31.196.0/24", "AS112 service", false},          // RFC 7535
	{"192.52.193.0/24", "multicast tunnelling", false},   // RFC 7450
	{"192.88.99.0/24", "6to4 relay anycast", false},      // RFC 7526
	{"192.168.0.0/16", "private use", false},
	{"192.175.48.0/24", "AS112 service", false}, // RFC 7534
	{"198.18.0.0/15", "benchmarking", false},    // RFC 2544
	{"198.51.100.0/24", "documentation", false},
	{"203.0.113.0/24", "documentation", false},
	{"224.0.0.0/4", "multicast", true}, // RFC 5771
	{"255.255.255.255/32", "broadcast", true},
	{"240.0.0.0/4", "reserved", true}, // RFC 1112
}

var specials6 = [...]special{
	{"fd00:ec2::254/128", "cloud metadata", true},      // AWS
	{"fd00:ec2::23/128", "cloud metadata", true},       // AWS, credentials of EKS pods
	{"fd20:ce::254/128", "cloud metadata", true},       // GCP
	{"fd00:c1::a9fe:a9fe/128", "cloud metadata", true}, // Oracle Cloud
	{"fd00:42::42/128", "cloud metadata", true},        // Scaleway
	{"::/128", "unspecified", true},
	{"::1/128", "loopback", false},
	{"::/96", "IPv4-compatible", false},           // RFC 4291, deprecated
	{"::ffff:0:0:0/96", "IPv4-translated", false}, // RFC 2765, deprecated
	{"64:ff9b::/96", "NAT64", false},              // RFC 6052
	// RFC 8215. Where the IPv4 address stands is up to the translator, so
	// what would be called cannot be known.
	{"64:ff9b:1::/48", "local-use NAT64", true},
	{"100::/64", "discard-only", false},               // RFC 6666
	{"100:0:0:1::/64", "dummy prefix", false},         // RFC 9780
	{"2001::/32", "Teredo", false},                    // RFC 4380
	{"2001::/23", "IETF protocol assignments", false}, // RFC 2928
	{"2001:db8::/32", "documentation", false},         // RFC 3849
	{"2002::/16", "6to4", false},                      // RFC 3056
	{"2620:4f:8000::/48", "AS112 service", false},     // RFC 7534
	{"3fff::/20", "documentation", false},             // RFC 9637
	{"5f00::/16", "segment routing", false},           // RFC 9602
	{"fc00::/7", "unique local", false},               // RFC 4193
	{"fe80::/10", "link-local", true},                 // RFC 4291
	{"fec0::/10", "site-local", false},                // RFC 3879, deprecated
	{"ff00::/8", "multicast", true},                   // RFC 4291
}

// globalUnicast is all of IPv6 that has been given out for public use.
const globalUnicast = "2000::/3"

// names are refused without a look at what they resolve to.
var names = [...]struct {
	name   string
	rule   string
	always bool
}{
	{"metadata.google.internal", "cloud metadata name", true},
	{"metadata.goog", "cloud metadata name", true},
	{"localhost", "loopback name", false}, // RFC 6761
}

// table is the rules of one tier, parsed. Parsing takes some microseconds and
// is left to who makes a guard, so that a process without one pays nothing.
type table struct {
	strict   bool
	specials [2][]parsedSpecial // IPv4, IPv6
	global   netip.Prefix
}

// parsedSpecial is a line of the table that holds in the tier.
type parsedSpecial struct {
	prefix netip.Prefix
	rule   string
}

// newTable parses the rules of the public tier (strict) or the governed one.
func newTable(strict bool) *table {
	t := &table{strict: strict, global: netip.MustParsePrefix(globalUnicast)}
	for i, list := range [...][]special{specials4[:], specials6[:]} {
		for _, s := range list {
			if strict || s.always {
				t.specials[i] = append(t.specials[i], parsedSpecial{
					prefix: netip.MustParsePrefix(s.prefix),
					rule:   s.name + " (" + s.prefix + ")",
				})
			}
		}
	}
	return t
}

// rule returns the rule that refuses addr, or "" when none does.
func (t *table) rule(addr netip.Addr) string {
	if !addr.IsValid() {
		return "not an address"
	}
	plain := addr.WithZone("").Unmap()
	if plain.Is4() {
		return match(t.specials[0], plain)
	}
	if rule := t.rule6(plain); rule != "" {
		return rule
	}
	if addr.Zone() != "" {
		// Only link-local addresses have a zone, and those are refused.
		return "zone identifier"
	}
	return ""
}

// rule6 is rule for an IPv6 address that is not an IPv4 one in disguise.
func (t *table) rule6(addr netip.Addr) string {
	if rule := match(t.specials[1], addr); rule != "" {
		return rule
	}
	if t.strict && !t.global.Contains(addr) {
		return "not global unicast (" + globalUnicast + ")"
	}
	// All of them must be allowed: Teredo carries two.
	for _, c := range carried(addr) {
		if rule := match(t.specials[0], c.addr); rule != "" {
			return c.form + " address of " + c.addr.String() + ", " + rule
		}
	}
	return ""
}

// match returns the first rule whose block holds addr, or "".
func match(list []parsedSpecial, addr netip.Addr) string {
	for _, s := range list {
		if s.prefix.Contains(addr) {
			return s.rule
		}
	}
	return ""
}

// nameRule returns the rule that refuses a lower-case name without its final
// dot, or "" when none does.
func (t *table) nameRule(name string) string {
	for _, n := range names {
		if (t.strict || n.always) && (name == n.name || strings.HasSuffix(name, "."+n.name)) {
			return n.rule
		}
	}
	return ""
}

// carriedAddr is an IPv4 address inside an IPv6 one, with the name of the form
// of embedding, for the message.
type carriedAddr struct {
	form string
	addr netip.Addr
}

// carried returns the IPv4 addresses that a packet to addr would be forwarded
// to, or that it names, in every form of embedding with a fixed place.
// IPv4-mapped addresses are not among them: callers unmap first.
func carried(addr netip.Addr) []carriedAddr {
	b := addr.As16()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i:])) }
	var found []carriedAddr
	switch hextet := func(i int) uint16 { return uint16(b[2*i])<<8 | uint16(b[2*i+1]) }; {
	case addr == netip.IPv6Loopback() || addr == netip.IPv6Unspecified():
		// In ::/96 by number, but with a meaning of their own.
	case zero(b[:12]):
		found = append(found, carriedAddr{"IPv4-compatible", at(12)})
	case zero(b[:8]) && hextet(4) == 0xffff && hextet(5) == 0:
		found = append(found, carriedAddr{"IPv4-translated", at(12)})
	case hextet(0) == 0x64 && hextet(1) == 0xff9b && zero(b[4:12]):
		found = append(found, carriedAddr{"NAT64", at(12)})
	case hextet(0) == 0x2002:
		found = append(found, carriedAddr{"6to4", at(2)})
	case hextet(0) == 0x2001 && hextet(1) == 0:
		client := [4]byte{^b[12], ^b[13], ^b[14], ^b[15]} // RFC 4380 section 4: sent inverted
		found = append(found,
			carriedAddr{"Teredo server", at(4)}, carriedAddr{"Teredo client", netip.AddrFrom4(client)})
	}
	// RFC 5214 section 6.1: 0000:5efe or, with the universal bit, 0200:5efe.
	if b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		found = append(found, carriedAddr{"ISATAP", at(12)})
	}
	return found
}

// zero reports whether all of b is 0.
func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
