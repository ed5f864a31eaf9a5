package egress

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
	"pgregory.net/rapid"
)

var (
	public   = newTable(true)
	governed = newTable(false)
)

func v4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// embeddings writes an IPv4 address into an IPv6 one, independently of how
// the package reads it back.
var embeddings = map[string]func(a4 [4]byte, noise [16]byte) [16]byte{
	"mapped": func(a [4]byte, _ [16]byte) (b [16]byte) {
		b[10], b[11] = 0xff, 0xff
		copy(b[12:], a[:])
		return b
	},
	"compatible": func(a [4]byte, _ [16]byte) (b [16]byte) {
		copy(b[12:], a[:])
		return b
	},
	"translated": func(a [4]byte, _ [16]byte) (b [16]byte) {
		b[8], b[9] = 0xff, 0xff
		copy(b[12:], a[:])
		return b
	},
	"nat64": func(a [4]byte, _ [16]byte) (b [16]byte) {
		copy(b[:], []byte{0, 0x64, 0xff, 0x9b})
		copy(b[12:], a[:])
		return b
	},
	"local nat64": func(a [4]byte, b [16]byte) [16]byte {
		copy(b[:], []byte{0, 0x64, 0xff, 0x9b, 0, 1})
		copy(b[12:], a[:])
		return b
	},
	"6to4": func(a [4]byte, b [16]byte) [16]byte {
		copy(b[:], []byte{0x20, 0x02, a[0], a[1], a[2], a[3]})
		return b
	},
	"teredo server": func(a [4]byte, b [16]byte) [16]byte {
		copy(b[:], []byte{0x20, 0x01, 0, 0, a[0], a[1], a[2], a[3]})
		return b
	},
	"teredo client": func(a [4]byte, b [16]byte) [16]byte {
		copy(b[:], []byte{0x20, 0x01, 0, 0})
		for i, c := range a {
			b[12+i] = c ^ 0xff
		}
		return b
	},
	"isatap": func(a [4]byte, b [16]byte) [16]byte {
		copy(b[8:], []byte{0, 0, 0x5e, 0xfe, a[0], a[1], a[2], a[3]})
		return b
	},
	"isatap, universal": func(a [4]byte, b [16]byte) [16]byte {
		copy(b[8:], []byte{2, 0, 0x5e, 0xfe, a[0], a[1], a[2], a[3]})
		return b
	},
}

// special4 draws IPv4 addresses, half of them inside or beside a block of the
// table, where mistakes live.
func special4(t *rapid.T) netip.Addr {
	if rapid.Bool().Draw(t, "anywhere") {
		return v4(rapid.Uint32().Draw(t, "v4"))
	}
	p := netip.MustParsePrefix(rapid.SampledFrom(specials4[:]).Draw(t, "block").prefix)
	first := binary.BigEndian.Uint32(p.Addr().AsSlice())
	size := uint32(1) << (32 - p.Bits())
	near := rapid.SampledFrom([]uint32{first - 1, first, first + size - 1, first + size}).Draw(t, "edge")
	inside := first + rapid.Uint32Range(0, size-1).Draw(t, "inside")
	return v4(rapid.SampledFrom([]uint32{near, inside}).Draw(t, "v4"))
}

func noise(t *rapid.T) [16]byte {
	return [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bits"))
}

// anyAddr draws addresses of every kind.
func anyAddr(t *rapid.T) netip.Addr {
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return special4(t)
	case 1:
		return netip.AddrFrom16(noise(t))
	case 2:
		p := netip.MustParsePrefix(rapid.SampledFrom(specials6[:]).Draw(t, "block").prefix)
		b, first := noise(t), p.Addr().As16()
		for i := range p.Bits() {
			bit := byte(0x80) >> (i % 8)
			b[i/8] = b[i/8]&^bit | first[i/8]&bit
		}
		return netip.AddrFrom16(b)
	}
	form := rapid.SampledFrom(formNames()).Draw(t, "form")
	return netip.AddrFrom16(embeddings[form](special4(t).As4(), noise(t)))
}

func formNames() []string {
	return []string{
		"mapped", "compatible", "translated", "nat64", "local nat64", "6to4",
		"teredo server", "teredo client", "isatap", "isatap, universal",
	}
}

// The public tier allows nothing that the oracle refuses. There is one
// difference, on purpose: an IPv4-mapped address is judged as the IPv4 address
// that it is, where the oracle refuses them all.
func TestPublicIsAsStrictAsOracle(t *testing.T) {
	oracle := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())
	allowed, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		addr := anyAddr(t)
		if public.rule(addr) != "" {
			refused++
			return
		}
		allowed++
		if err := oracle.SafeAddr(addr.Unmap()); err != nil {
			t.Fatalf("%s is allowed; the oracle: %v", addr, err)
		}
	})
	if allowed == 0 || refused == 0 {
		t.Errorf("%d allowed, %d refused: the draw is one-sided", allowed, refused)
	}
}

// Outside of the oracle's list the public tier refuses only what it says it
// adds: metadata inside public space and embedded addresses.
func TestPublicIsNotStricterThanItSays(t *testing.T) {
	oracle := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())
	rapid.Check(t, func(t *rapid.T) {
		addr := anyAddr(t).Unmap()
		rule := public.rule(addr)
		if rule == "" || oracle.SafeAddr(addr) != nil {
			return
		}
		if !strings.Contains(rule, "cloud metadata") && !strings.Contains(rule, "ISATAP") {
			t.Fatalf("%s is refused by %q, the oracle allows it", addr, rule)
		}
	})
}

// Tightening never loosens: what the governed tier refuses the public one does too.
func TestPublicIsAsStrictAsGoverned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if addr := anyAddr(t); governed.rule(addr) != "" && public.rule(addr) == "" {
			t.Fatalf("%s is refused in the governed tier only", addr)
		}
	})
}

func TestEveryEmbeddingInheritsRefusal(t *testing.T) {
	for _, form := range formNames() {
		t.Run(form, func(t *testing.T) {
			refused := 0
			rapid.Check(t, func(t *rapid.T) {
				a4 := special4(t)
				addr := netip.AddrFrom16(embeddings[form](a4.As4(), noise(t)))
				if addr == netip.IPv6Loopback() {
					return // an address of its own, not 0.0.0.1
				}
				for _, tier := range []*table{public, governed} {
					if tier.rule(a4) == "" {
						continue
					}
					refused++
					if tier.rule(addr) == "" {
						t.Fatalf("%s is refused, %s, which embeds it, is not (strict: %v)", a4, addr, tier.strict)
					}
				}
			})
			if refused == 0 {
				t.Error("no refused address was drawn")
			}
		})
	}
}

// Every block of the table is refused from its first address to its last, and
// the sweep over all of IPv4 agrees with the oracle.
func TestBlocksWhole(t *testing.T) {
	for _, s := range append(specials4[:], specials6[:]...) {
		p := netip.MustParsePrefix(s.prefix)
		if p != p.Masked() {
			t.Errorf("%s has host bits", s.prefix)
		}
		last := p.Addr().AsSlice()
		for i := p.Bits(); i < 8*len(last); i++ {
			last[i/8] |= 0x80 >> (i % 8)
		}
		end, _ := netip.AddrFromSlice(last)
		for _, addr := range []netip.Addr{p.Addr(), end} {
			if public.rule(addr) == "" {
				t.Errorf("public: %s of %s is allowed", addr, s.prefix)
			}
			if s.always && governed.rule(addr) == "" {
				t.Errorf("governed: %s of %s is allowed", addr, s.prefix)
			}
		}
	}
}

func TestSweepIPv4(t *testing.T) {
	oracle := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())
	for n := uint32(0); n < 1<<16; n++ {
		for _, low := range []uint32{0, 1, 0xff, 0x100, 0xffff} {
			addr := v4(n<<16 | low)
			if refused := oracle.SafeAddr(addr) != nil; refused != (public.rule(addr) != "") {
				t.Fatalf("%s: oracle refuses %v, rule %q", addr, refused, public.rule(addr))
			}
		}
	}
}

// FuzzURL: whatever the URL, there is a verdict; a refusal shows nothing of
// the URL but its host; and an address that CheckURL allows is one that the
// dialer allows.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1/", "https://user:secret@8.8.8.8:443/p?q#f", "http://0x7f.1", "http://[::ffff:8.8.8.8]:1/",
		"http://[fe80::1%25eth0]/", "http://localhost./", "//x", "http://1.2.3.4.5", "http://a..b:0", "http://１２７.1/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, tier := range []Tier{Public, Governed} {
			checkFuzzed(t, New(Config{Tier: tier}), raw)
		}
	})
}

func checkFuzzed(t *testing.T, g *Guard, raw string) {
	err := g.CheckURL(raw)
	u, parseErr := url.Parse(raw)
	if err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Rule == "" {
			t.Fatalf("%q: %#v is no refusal with a rule", raw, err)
		}
		if parseErr == nil && refusal.Host != "" && refusal.Host != u.Hostname() {
			t.Fatalf("%q: the refusal names %q", raw, refusal.Host)
		}
		return
	}
	if parseErr != nil {
		t.Fatalf("%q is allowed and cannot be parsed", raw)
	}
	target, err := g.checkURL(u)
	if err != nil {
		t.Fatalf("%q: two verdicts", raw)
	}
	if !target.addr.IsValid() {
		return
	}
	if err := g.Control("tcp", netip.AddrPortFrom(target.addr, target.port).String(), nil); err != nil {
		t.Fatalf("%q: allowed as a URL, refused when dialled: %v", raw, err)
	}
}
