package project

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnv(t *testing.T) {
	tests := map[string][]string{
		"":                              nil,
		"A=b":                           {"1 A=b"},
		"A=b\r\nC=d\n":                  {"1 A=b", "2 C=d"},
		"\n  # no\n A = b \n":           {"3 A=b"},
		"A=b=c":                         {"1 A=b=c"},
		"A=":                            {"1 A="},
		"no assignment":                 nil,
		"=b":                            {"1 =b"},
		`A="b c"`:                       {"1 A=b c"},
		`A='b'`:                         {"1 A=b"},
		`A="b'`:                         {`1 A="b'`},
		`A=""b""`:                       {`1 A="b"`},
		`A="`:                           {`1 A="`},
		`A=" b "`:                       {"1 A= b "},
		`A="b\n"`:                       {`1 A=b\n`},
		"A=b # kept":                    {"1 A=b # kept"},
		"export A=b":                    {"1 export A=b"},
		"\uFEFFA=b\u3000":               {"1 A=b"},
		"A=\xe2\x98":                    {"1 A=\uFFFD"},
		"A=1\nA=2":                      {"1 A=1", "2 A=2"},
		"A=b\rC=d":                      {"1 A=b\rC=d"},
		"A=${B}":                        {"1 A=${B}"},
		"#=x\nB=#x":                     {"2 B=#x"},
		strings.Repeat("\n", 9) + "A=b": {"10 A=b"},
	}
	for src, want := range tests {
		var got []string
		for _, a := range parseEnv([]byte(src)) {
			got = append(got, fmt.Sprintf("%d %s=%s", a.line, a.name, a.value))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", src, diff)
		}
	}
}

func TestEnvPrefersWhatIsSetAndNotEmpty(t *testing.T) {
	dir := tree(t, map[string]string{
		"agentxchain.json": "{}",
		".env":             "SET=root\nEMPTY=root\nNEW=root\nTWICE=\nTWICE=later\nBLANK=\nROOT_BLANK=\n",
		"sub/.env":         "NEW=sub\nSUB=sub\nROOT_BLANK=sub\n",
	})
	process := map[string]string{"SET": "process", "EMPTY": ""}
	env, err := LoadEnv(func(name string) (string, bool) { v, ok := process[name]; return v, ok }, Root{Dir: dir, Kind: Run}, filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"SET":        "process true environment",
		"EMPTY":      "root true .env:2",
		"NEW":        "root true .env:3",
		"TWICE":      "later true .env:5",
		"BLANK":      " true .env:6",
		"ROOT_BLANK": "sub true sub/.env:3",
		"SUB":        "sub true sub/.env:2",
		"NONE":       " false ",
	} {
		value, ok := env.Lookup(name)
		origin := filepath.ToSlash(strings.TrimPrefix(env.Origin(name), dir+string(filepath.Separator)))
		if got := fmt.Sprintf("%s %t %s", value, ok, origin); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, env); text != "[environment]" {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestEnvIsUsableWithoutFiles(t *testing.T) {
	var zero Env
	if _, ok := zero.Lookup("A"); ok {
		t.Error("the zero Env has variables")
	}
	dir := tree(t, map[string]string{".env/": "", "sub/.env": "A=b"})
	env, err := LoadEnv(nil, Root{Dir: dir}, filepath.Join(dir, "sub"))
	if err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("error %v", err)
	}
	if v, ok := env.Lookup("A"); !ok || v != "b" {
		t.Errorf("A = %q, %t: the other file is lost", v, ok)
	}
}

func FuzzParseEnv(f *testing.F) {
	f.Add([]byte("A=b\r\n# c\nB='x'\n\xff=\"\""))
	f.Fuzz(func(t *testing.T, src []byte) {
		lines, last := strings.Count(string(src), "\n")+1, 0
		for _, a := range parseEnv(src) {
			if a.line <= last || a.line > lines {
				t.Errorf("line %d after %d of %d", a.line, last, lines)
			}
			if strings.ContainsAny(a.name+a.value, "\n") || strings.Contains(a.name, "=") || strings.HasPrefix(a.name, "#") {
				t.Errorf("%+v", a)
			}
			last = a.line
		}
	})
}
