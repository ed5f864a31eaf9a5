package egress

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func environment(pairs ...string) func(string) string {
	m := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		m[name] = value
	}
	return func(name string) string { return m[name] }
}

func guard(t *testing.T, tier Tier, pairs ...string) *Guard {
	t.Helper()
	c, err := FromEnv(environment(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	c.Tier = tier
	return New(c)
}

func TestMalformedEnvironment(t *testing.T) {
	for _, c := range []struct{ pair, want string }{
		{"AGENTXCHAIN_EGRESS=private", `AGENTXCHAIN_EGRESS is "private"`},
		{"AGENTXCHAIN_EGRESS=Public", `AGENTXCHAIN_EGRESS is "Public"`},
		{"AGENTXCHAIN_EGRESS=0", `AGENTXCHAIN_EGRESS is "0"`},
		{"AGENTXCHAIN_EGRESS_ALLOW= ", `AGENTXCHAIN_EGRESS_ALLOW: entry 1 ("")`},
		{"AGENTXCHAIN_EGRESS_ALLOW=a.example,", `AGENTXCHAIN_EGRESS_ALLOW: entry 2 ("")`},
		{"AGENTXCHAIN_EGRESS_ALLOW=10.0.0.1/8", `entry 1 ("10.0.0.1/8"): not a network`},
		{"AGENTXCHAIN_EGRESS_ALLOW=10.0.0.0/33", `entry 1 ("10.0.0.0/33"): not a network`},
		{"AGENTXCHAIN_EGRESS_ALLOW=https://a.example", "not a network"},
		{"AGENTXCHAIN_EGRESS_ALLOW=*.example", "not a host name"},
		{"AGENTXCHAIN_EGRESS_ALLOW=a.example:0", "the port is not one of 1 to 65535"},
		{"AGENTXCHAIN_EGRESS_ALLOW=a.example:http", "the port is not one of 1 to 65535"},
		{"AGENTXCHAIN_EGRESS_ALLOW=fd00::1:2:3:4:5:6:7:8:443", "not host:port"},
		{"AGENTXCHAIN_EGRESS_ALLOW=fe80::1%eth0", "zone"},
		{"AGENTXCHAIN_EGRESS_ALLOW=bücher.example", "in ASCII"},
		{"AGENTXCHAIN_EGRESS_ALLOW=256.1.1.1", "not a host name"},
		{"HTTP_PROXY=http://", "HTTP_PROXY: not the URL of a proxy"},
		{"http_proxy=ftp://proxy.example", "HTTP_PROXY: the proxy's scheme"},
		{"HTTPS_PROXY=http://user:hunter2@[::1", "HTTPS_PROXY: not the URL of a proxy"},
	} {
		_, err := FromEnv(environment(c.pair))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.pair, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the proxy's password", c.pair)
		}
	}
}

// verdict calls a URL with stubbed names and reports whether it was reached.
func verdict(t *testing.T, g *Guard, rawURL string) (bool, error) {
	t.Helper()
	reached := offline(g, map[string][]string{
		"ops.example":   {"10.0.0.5"},
		"pub.example":   {"93.184.216.34"},
		"imds.example":  {"169.254.169.254"},
		"multi.example": {"10.0.0.5", "10.9.0.5"},
	})
	err := call(t, g, rawURL)
	return len(*reached) > 0, err
}

func TestAllow(t *testing.T) {
	for _, c := range []struct {
		allow, url string
		want       bool
	}{
		{"", "http://ops.example/", true},
		{"ops.example", "http://ops.example/", true},
		{"OPS.example.", "http://Ops.Example/", true},
		{"ops.example", "http://ops.example.:8443/", true},
		{"ops.example", "http://sub.ops.example/", false},
		{"ops.example", "http://10.0.0.5/", false}, // the name was allowed, not its address
		{"ops.example", "http://pub.example/", false},
		{"ops.example:443", "https://ops.example/", true},
		{"ops.example:443", "http://ops.example/", false},
		{"ops.example:443", "http://ops.example:443/", true},
		{"imds.example", "http://imds.example/", false}, // the tier still refuses
		{"169.254.169.254", "http://169.254.169.254/", false},
		{"0.0.0.0/0", "http://imds.example/", false},
		{"0.0.0.0/0", "http://pub.example/", true},
		{"10.0.0.0/16", "http://ops.example/", true},
		{"10.0.0.0/16", "http://10.0.255.255:81/", true},
		{"10.0.0.0/16", "http://10.1.0.0/", false},
		{"10.0.0.0/16", "http://multi.example/", false}, // one address is outside
		{"10.0.0.0/8", "http://multi.example/", true},
		{"10.0.0.5", "http://ops.example:9/", true},
		{"10.0.0.5:80", "http://ops.example/", true},
		{"10.0.0.5:80", "http://ops.example:81/", false},
		{"::ffff:10.0.0.5", "http://10.0.0.5/", true},
		{"::ffff:10.0.0.0/112", "http://10.0.0.5/", true},
		{"10.0.0.5", "http://[::ffff:10.0.0.5]/", true},
		{"[fd00::5]:80", "http://[fd00::5]/", true},
		{"[fd00::5]:80", "http://[fd00::5]:81/", false},
		{"fd00::5", "http://[FD00:0::5]:81/", true},
		{"fd00::/8", "http://[fd12::1]/", true},
		{"0x0a000005", "http://10.6/", false},
		{"0x0a000005", "http://167772165/", true},
		{"other.example, ops.example", "http://ops.example/", true},
		{"other.example", "http://nothing.example/", false},
	} {
		g := guard(t, Governed, "AGENTXCHAIN_EGRESS_ALLOW="+c.allow)
		if got, err := verdict(t, g, c.url); got != c.want {
			t.Errorf("allow %q, %s: %v, want %v (%v)", c.allow, c.url, got, c.want, err)
		}
	}
}

// The environment tightens either tier and loosens none.
func TestModeTightens(t *testing.T) {
	for _, c := range []struct {
		tier Tier
		env  []string
		url  string
		want bool
	}{
		{Governed, nil, "http://ops.example/", true},
		{Governed, []string{"AGENTXCHAIN_EGRESS=public"}, "http://ops.example/", false},
		{Governed, []string{"AGENTXCHAIN_EGRESS=public"}, "http://pub.example/", true},
		{Governed, []string{"AGENTXCHAIN_EGRESS=public", "AGENTXCHAIN_EGRESS_ALLOW=ops.example"}, "http://ops.example/", false},
		{Public, nil, "http://ops.example/", false},
		{Public, []string{"AGENTXCHAIN_EGRESS_ALLOW=ops.example,10.0.0.0/8"}, "http://ops.example/", false},
		{Public, []string{"AGENTXCHAIN_EGRESS_ALLOW=pub.example"}, "http://pub.example/", true},
		{Public, []string{"AGENTXCHAIN_EGRESS_ALLOW=other.example"}, "http://pub.example/", false},
	} {
		if got, err := verdict(t, guard(t, c.tier, c.env...), c.url); got != c.want {
			t.Errorf("tier %d, %v, %s: %v, want %v (%v)", c.tier, c.env, c.url, got, c.want, err)
		}
	}
	if New(Config{}).table.strict != true || New(Config{Tier: 7}).table.strict != true {
		t.Error("a tier nobody knows is not strict")
	}
}

func TestRefusalText(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"http://169.254.169.254/secret", "egress refused 169.254.169.254: cloud metadata (169.254.169.254/32)"},
		{"http://2852039166/secret", "egress refused 169.254.169.254 (2852039166): cloud metadata (169.254.169.254/32)"},
		{"http://[2002:a9fe:a9fe::]/secret", "egress refused 2002:a9fe:a9fe::: 6to4 address of 169.254.169.254, cloud metadata (169.254.169.254/32)"},
		{"http://metadata.google.internal/secret", "egress refused metadata.google.internal: cloud metadata name"},
		{"secret://x", "egress refused the URL: the scheme is neither http nor https"},
		{"http://secret secret/", "egress refused the URL: the URL cannot be parsed"},
	} {
		err := New(Config{Tier: Governed}).CheckURL(c.url)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.url, err, c.want)
		}
	}
}

func TestControl(t *testing.T) {
	g := New(Config{Tier: Governed})
	for _, c := range []struct {
		network, address string
		want             bool
	}{
		{"tcp4", "127.0.0.1:80", true},
		{"tcp6", "[::1]:80", true},
		{"tcp4", "169.254.169.254:80", false},
		{"tcp6", "[::ffff:169.254.169.254]:80", false},
		{"tcp6", "[fe80::1%1]:80", false},
		{"udp4", "127.0.0.1:53", false},
		{"unix", "/run/socket", false},
		{"tcp", "localhost:80", false},
	} {
		if err := g.Control(c.network, c.address, nil); (err == nil) != c.want {
			t.Errorf("%s %s: %v, want allowed %v", c.network, c.address, err, c.want)
		}
	}
	named := guard(t, Governed, "AGENTXCHAIN_EGRESS_ALLOW=ops.example,10.0.0.5")
	if named.Control("tcp4", "10.0.0.6:80", nil) == nil || named.Control("tcp4", "10.0.0.5:80", nil) != nil {
		t.Error("Control does not hold addresses to the allow list")
	}
}

func TestProxyChoice(t *testing.T) {
	const env = "HTTP_PROXY=http://p.example:3128"
	for _, c := range []struct {
		env  []string
		url  string
		want string
	}{
		{nil, "http://a.example/", ""},
		{[]string{env}, "http://a.example/", "http://p.example:3128"},
		{[]string{env}, "https://a.example/", ""},
		{[]string{"HTTPS_PROXY=p.example:3128"}, "https://a.example/", "http://p.example:3128"},
		{[]string{"https_proxy=socks5://p.example"}, "https://a.example/", "socks5://p.example"},
		{[]string{env, "http_proxy=http://lower.example"}, "http://a.example/", "http://p.example:3128"},
		{[]string{env, "REQUEST_METHOD=GET"}, "http://a.example/", ""},
		{[]string{env}, "http://localhost/", ""},
		{[]string{env}, "http://127.1.2.3/", ""},
		{[]string{env}, "http://[::1]/", ""},
		{[]string{env, "NO_PROXY=*"}, "http://a.example/", ""},
		{[]string{env, "NO_PROXY=a.example"}, "http://a.example/", ""},
		{[]string{env, "no_proxy= b.example , A.example"}, "http://a.EXAMPLE./", ""},
		{[]string{env, "NO_PROXY=example"}, "http://a.example/", ""},
		{[]string{env, "NO_PROXY=.example"}, "http://a.example/", ""},
		{[]string{env, "NO_PROXY=*.example"}, "http://a.example/", ""},
		{[]string{env, "NO_PROXY=.a.example"}, "http://a.example/", "http://p.example:3128"},
		{[]string{env, "NO_PROXY=ample"}, "http://a.example/", "http://p.example:3128"},
		{[]string{env, "NO_PROXY=a.example:81"}, "http://a.example/", "http://p.example:3128"},
		{[]string{env, "NO_PROXY=a.example:81"}, "http://a.example:81/", ""},
		{[]string{env, "NO_PROXY=10.0.0.0/8"}, "http://10.1.2.3/", ""},
		{[]string{env, "NO_PROXY=10.0.0.0/8"}, "http://11.1.2.3/", "http://p.example:3128"},
		{[]string{env, "NO_PROXY=10.1.2.3:80"}, "http://10.1.2.3/", ""},
		{[]string{env, "NO_PROXY=10.1.2.3:80"}, "http://10.1.2.3:81/", "http://p.example:3128"},
		{[]string{env, "NO_PROXY=,:1,a:b:c"}, "http://a.example/", "http://p.example:3128"},
		{[]string{env, "AGENTXCHAIN_EGRESS=public"}, "http://a.example/", ""},
	} {
		g := guard(t, Governed, c.env...)
		if got := proxyFor(t, g, c.url); got != c.want {
			t.Errorf("%v, %s: %q, want %q", c.env, c.url, got, c.want)
		}
		if got := proxyFor(t, guard(t, Public, c.env...), "http://93.184.216.34/"); got != "" {
			t.Errorf("%v: the public tier uses %q", c.env, got)
		}
	}
}

func proxyFor(t *testing.T, g *Guard, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	target, err := parseTarget(u.Hostname(), u.Port(), u.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	if p := g.proxies.forTarget(target, u.Scheme); p != nil {
		return p.String()
	}
	return ""
}

func TestParseHost(t *testing.T) {
	for _, c := range []struct{ host, addr, name string }{
		{"10.0.0.1", "10.0.0.1", ""},
		{"10.1", "10.0.0.1", ""},
		{"0x7f000001", "127.0.0.1", ""},
		{"017700000001", "127.0.0.1", ""},
		{"0X7F.0.0.1", "127.0.0.1", ""},
		{"1.2.3.0x", "1.2.3.0", ""},
		{"Example.COM.", "", "example.com"},
		{"0x", "0.0.0.0", ""},
		{"0xg", "", "0xg"},
		{"1.example", "", "1.example"},
		{"::FFFF:1.2.3.4", "::ffff:1.2.3.4", ""},
	} {
		addr, name, ok := parseHost(c.host)
		want, _ := netip.ParseAddr(c.addr)
		if !ok || addr != want || name != c.name {
			t.Errorf("%q: %v %q %v, want %v %q", c.host, addr, name, ok, want, c.name)
		}
	}
	for _, host := range []string{
		"", ".", "..", "a..b", ".a", "a b", "a/b", "a%41", "256.0.0.1", "1.2.3.4.5", "09",
		"0xffffffffffffffffff", "4294967296", "1.2.65536", "a\x00b", "[::1]", ":", "1::2::3",
	} {
		if addr, name, ok := parseHost(host); ok {
			t.Errorf("%q is taken for %v %q", host, addr, name)
		}
	}
}
