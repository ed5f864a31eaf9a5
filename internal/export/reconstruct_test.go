package export

import (
	"encoding/binary"
	"slices"
	"testing"
	"unicode/utf16"

	"agentxchain/internal/ecmajson"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustParse(t testing.TB, src string) *ecmajson.Value {
	t.Helper()
	v, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return v
}

func TestLocaleOrder(t *testing.T) {
	want := []string{"", " ", "_", "-", ",", ".", "(", "@", "/", "0", "1", "10", "2", "a", "A", "á", "b", "turn_a", "turn_B", "turn_c", "z", "Z"}
	list := slices.Clone(want)
	slices.Reverse(list)
	sortByLocale(list)
	if d := cmp.Diff(want, list); d != "" {
		t.Error(d)
	}
	if compare := localeOrder(); !slices.IsSortedFunc(list, compare) {
		t.Error("the keys and the comparison disagree")
	}
}

func TestTurnIDs(t *testing.T) {
	for src, want := range map[string][]string{
		`{"turn_c":1,"turn_B":1,"10":1,"9":1,"turn_a":1}`: {"10", "9", "turn_a", "turn_B", "turn_c"},
		`{}`: {}, `null`: {}, `5`: {}, `["x","y"]`: {"0", "1"}, `"ab"`: {"0", "1"},
	} {
		if d := cmp.Diff(want, turnIDs(mustParse(t, src))); d != "" {
			t.Errorf("%s: %s", src, d)
		}
	}
	if got := turnIDs(nil); got == nil || len(got) != 0 {
		t.Errorf("absent: %v", got)
	}
}

func TestCodeUnitOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runes := rapid.SliceOfN(rapid.SampledFrom([]rune{'a', 'b', 0xE9, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x1F600}), 0, 4)
		a, b := runes.Draw(t, "a"), runes.Draw(t, "b")
		want := slices.Compare(utf16.Encode(a), utf16.Encode(b))
		if got := compareCodeUnits(string(a), string(b)); sign(got) != want {
			t.Fatalf("compare %U with %U: %d, want %d", a, b, got, want)
		}
	})
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestDelegationsTakeTheLastRecord(t *testing.T) {
	var d delegations
	for _, line := range []string{
		`{"turn_id":"p","role":"a","delegations_issued":[{"id":"old"}]}`,
		`{"turn_id":"q","delegations_issued":[]}`,
		`{"turn_id":"p","role":"b","delegations_issued":[{"id":1,"to_role":"x"},null,5]}`,
		`{"turn_id":"c","status":"","delegation_context":{"delegation_id":1.0}}`,
		`{"turn_id":"r","delegation_review":{"parent_turn_id":"q","results":null}}`,
		`{"delegations_issued":{"id":"not an array"}}`,
		`null`, `[]`, `"delegations_issued"`,
	} {
		d.add(mustParse(t, line))
	}
	want := `{"total_delegations_issued":3,"delegation_chains":[` +
		`{"parent_turn_id":"p","parent_role":"b","delegations":[` +
		`{"delegation_id":1,"to_role":"x","required_decision_ids":[],"satisfied_decision_ids":[],"missing_decision_ids":[],"status":"completed","child_turn_id":"c"},` +
		`{"required_decision_ids":[],"satisfied_decision_ids":[],"missing_decision_ids":[],"status":"pending","child_turn_id":null},` +
		`{"required_decision_ids":[],"satisfied_decision_ids":[],"missing_decision_ids":[],"status":"pending","child_turn_id":null}],` +
		`"review_turn_id":null,"outcome":"pending"},` +
		`{"parent_turn_id":"q","delegations":[],"review_turn_id":"r","outcome":"completed"}]}`
	if got := string(ecmajson.Append(nil, d.summary())); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRepoDecisionsWithoutRoles(t *testing.T) {
	var r repoDecisions
	if !r.summary().Is(ecmajson.Null) {
		t.Error("no records must give null")
	}
	for _, line := range []string{`null`, `5`, `{"status":"active","role":"human","category":"b"}`, `{"status":"active","category":"a"}`, `{"status":"active","category":"a"}`} {
		r.add(mustParse(t, line))
	}
	s := r.summary()
	if s.Get("total").Num() != 4 || s.Get("active_count").Num() != 3 {
		t.Errorf("%s", ecmajson.Append(nil, s))
	}
	want := `{"active_categories":["a","b"],"highest_active_authority_level":null,"highest_active_authority_role":null,"highest_active_authority_source":null,"superseding_active_count":0,"overridden_with_successor_count":0}`
	if got := string(ecmajson.Append(nil, s.Get("operator_summary"))); got != want {
		t.Errorf("got %s", got)
	}
}

// FuzzCollectors feeds any record to every collector: none may panic, and what
// comes out must be JSON.
func FuzzCollectors(f *testing.F) {
	f.Add([]byte(`{"turn_id":{},"delegations_issued":[{"id":[]}],"delegation_context":1,"delegation_review":"x","status":"active","role":{"a":1},"category":[1,null,[2]],"timestamp":5,"event_type":{},"event_id":[[]]}`))
	f.Add([]byte(`{"delegations_issued":[1,"x",null],"delegation_review":{"parent_turn_id":null,"results":[null,{"delegation_id":1}]},"status":"overridden"}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		record, err := ecmajson.Parse(src, ecmajson.Options{MaxDepth: 100})
		if err != nil {
			return
		}
		var d delegations
		r := repoDecisions{roles: record}
		var a aggregatedEvents
		for range 2 {
			d.add(record)
			r.add(record)
		}
		a.add("x", mustParse(t, string(src)))
		a.add("y", record)
		a.sort()
		_ = turnIDs(record)
		for _, v := range []*ecmajson.Value{d.summary(), r.summary(), a.typeCounts(), ecmajson.NewStrings(a.repoIDs())} {
			mustParse(t, string(ecmajson.Append(nil, v)))
		}
	})
}

// TestMayDelegateSparesNothingThatCounts hides the key in escapes.
func TestMayDelegateSparesNothingThatCounts(t *testing.T) {
	for line, want := range map[string]bool{
		`{"delegations_issued":[]}`: true, `{"\u0064elegations_issued":[]}`: true, `{"turn_id":"x"}`: false, `{"a":"\n"}`: false,
	} {
		if got := mayDelegate([]byte(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func FuzzPlainPrefix(f *testing.F) {
	f.Add(binary.LittleEndian.AppendUint64(nil, 0x2120202020202220))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := slices.IndexFunc(b, func(c byte) bool { return c < 0x20 || c == '"' || c == '\\' })
		if want < 0 {
			want = len(b)
		}
		if got := plainPrefix(b); got != want {
			t.Fatalf("plainPrefix(%q) = %d, want %d", b, got, want)
		}
	})
}
