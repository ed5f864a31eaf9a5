package pyvalue_test

import (
	"errors"
	"testing"

	"agentxchain/internal/pyvalue"
)

func event() *pyvalue.Object {
	like := pyvalue.NewStr("on_error")
	attrs := pyvalue.NewDict(1)
	attrs.SetStr("agent_id", pyvalue.NewStr("a-1"))
	attrs.SetStr("_private", pyvalue.NewStr("p"))
	return &pyvalue.Object{Type: "NotificationEvent", Module: "gateway", Attrs: attrs, Like: &like}
}

// TestLikeString shows an object that is used as the string that it prints as.
func TestLikeString(t *testing.T) {
	e, s := event(), pyvalue.NewStr("on_error")
	if equal, err := pyvalue.Equal(nil, e, s); !equal || err != nil {
		t.Errorf("event == text: %v, %v", equal, err)
	}
	if equal, err := pyvalue.Equal(nil, s, e); !equal || err != nil {
		t.Errorf("text == event: %v, %v", equal, err)
	}
	d := pyvalue.NewDict(1)
	d.SetStr("on_error", pyvalue.Int(1))
	if v, found, err := d.Get(nil, e); v != pyvalue.Value(pyvalue.Int(1)) || !found || err != nil {
		t.Errorf("as a key: %v, %v, %v", v, found, err)
	}
	for name, c := range map[string]struct {
		got  func() (pyvalue.Value, error)
		want string
	}{
		"+":      {func() (pyvalue.Value, error) { return pyvalue.Add(nil, e, pyvalue.NewStr("!")) }, "'on_error!'"},
		"%":      {func() (pyvalue.Value, error) { return pyvalue.Mod(nil, pyvalue.NewStr("%s"), e) }, "'on_error'"},
		"upper":  {func() (pyvalue.Value, error) { return callOn(e, "upper") }, "'ON_ERROR'"},
		"slice":  {func() (pyvalue.Value, error) { return pyvalue.Slice(nil, e, none(), pyvalue.Int(2), none()) }, "'on'"},
		"attr":   {func() (pyvalue.Value, error) { return pyvalue.SandboxAttr(nil, e, "agent_id") }, "'a-1'"},
		"format": {func() (pyvalue.Value, error) { return str(pyvalue.Format(nil, e, ">10")) }, "'  on_error'"},
	} {
		v, err := c.got()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := pyvalue.Repr(nil, v); got != c.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, c.want)
		}
	}
}

func none() pyvalue.Value { return pyvalue.None{} }

func callOn(v pyvalue.Value, name string, args ...pyvalue.Value) (pyvalue.Value, error) {
	f, _, err := pyvalue.Attr(nil, v, name)
	if err != nil {
		return nil, err
	}
	return pyvalue.CallValue(f, pyvalue.Call{Args: args})
}

// TestUndefined lists what the undefined say when they are used.
func TestUndefined(t *testing.T) {
	e := event()
	d := pyvalue.NewDict(0)
	for _, c := range []struct {
		get  func() (pyvalue.Value, error)
		want string
	}{
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxAttr(nil, e, "x") },
			"UndefinedError: 'gateway.NotificationEvent object' has no attribute 'x'",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxItem(nil, d, pyvalue.Int(1)) },
			"UndefinedError: dict object has no element 1",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxItem(nil, pyvalue.NewList(), pyvalue.Int(0)) },
			"UndefinedError: list object has no element 0",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxAttr(nil, pyvalue.None{}, "x") },
			"UndefinedError: 'None' has no attribute 'x'",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxAttr(nil, pyvalue.Markup(""), "x") },
			"UndefinedError: 'markupsafe.Markup object' has no attribute 'x'",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxAttr(nil, e, "__class__") },
			"SecurityError: access to attribute '__class__' of 'NotificationEvent' object is unsafe.",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxAttr(nil, e, "_private") },
			"SecurityError: access to attribute '_private' of 'NotificationEvent' object is unsafe.",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxItem(nil, d, pyvalue.NewStr("__len__")) },
			"SecurityError: access to attribute '__len__' of 'dict' object is unsafe.",
		},
		{
			func() (pyvalue.Value, error) { return pyvalue.SandboxAttr(nil, d, "__nothing__") },
			"UndefinedError: 'dict object' has no attribute '__nothing__'",
		},
		{func() (pyvalue.Value, error) {
			return pyvalue.SandboxSlice(nil, pyvalue.Int(5), pyvalue.Int(1), none(), none())
		}, "UndefinedError: int object has no element slice(1, None, None)"},
	} {
		v, err := c.get()
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		u, ok := v.(*pyvalue.Undefined)
		if !ok || u.Err().Error() != c.want {
			t.Errorf("got %v, want %s", v, c.want)
			continue
		}
		if _, err := pyvalue.SandboxAttr(nil, u, "y"); err == nil || err.Error() != c.want {
			t.Errorf("an attribute of it: %v, want %s", err, c.want)
		}
		if s, err := pyvalue.Text(nil, u); s != "" || err != nil || pyvalue.Truth(u) {
			t.Errorf("it prints %q, %v", s, err)
		}
	}
}

// TestHostErrors hands the errors of computed attributes on.
func TestHostErrors(t *testing.T) {
	wrong := errors.New("wrong")
	o := &pyvalue.Object{
		Type:  "Loop",
		Get:   func(*pyvalue.Meter, string) (pyvalue.Value, bool, error) { return nil, false, wrong },
		Len:   func(*pyvalue.Meter) (int, error) { return 0, wrong },
		Iter:  func(*pyvalue.Meter) (*pyvalue.Iterator, error) { return nil, wrong },
		Print: func(*pyvalue.Meter) (string, error) { return "", wrong },
		Call:  func(pyvalue.Call) (pyvalue.Value, error) { return nil, wrong },
	}
	_, attr := pyvalue.SandboxAttr(nil, o, "x")
	_, item := pyvalue.SandboxItem(nil, o, pyvalue.NewStr("x"))
	_, length := pyvalue.Len(nil, o)
	_, items := pyvalue.Items(nil, o)
	_, printed := pyvalue.Text(nil, o)
	_, called := pyvalue.CallValue(o, pyvalue.Call{})
	for i, err := range []error{attr, item, length, items, printed, called} {
		if !errors.Is(err, wrong) {
			t.Errorf("%d: got %v", i, err)
		}
	}
}

// TestPrintsInside shows an object whose printing comes back to a dict that holds
// the object.
func TestPrintsInside(t *testing.T) {
	d := pyvalue.NewDict(1)
	o := &pyvalue.Object{Type: "Namespace", Print: func(m *pyvalue.Meter) (string, error) {
		s, err := pyvalue.Repr(m, d)
		return "<Namespace " + s + ">", err
	}}
	d.SetStr("self", o)
	want := "<Namespace {'self': <Namespace {...}>}>"
	if got, err := pyvalue.Text(pyvalue.NewMeter(pyvalue.Limits{}, nil), o); got != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestMarkJSON(t *testing.T) {
	v := pyvalue.MarkJSON(pyvalue.NewStr(`{"a": 1}`))
	if !pyvalue.IsJSON(v) || pyvalue.IsJSON(pyvalue.NewStr("{}")) || pyvalue.IsJSON(pyvalue.Markup("{}")) {
		t.Error("the mark is not where it belongs")
	}
	for name, use := range map[string]func() (pyvalue.Value, error){
		"+":     func() (pyvalue.Value, error) { return pyvalue.Add(nil, v, pyvalue.NewStr("")) },
		"upper": func() (pyvalue.Value, error) { return callOn(v, "upper") },
		"strip": func() (pyvalue.Value, error) { return callOn(v, "strip") },
		"~":     func() (pyvalue.Value, error) { return pyvalue.Concat(nil, v) },
		"slice": func() (pyvalue.Value, error) { return pyvalue.Slice(nil, v, none(), none(), none()) },
	} {
		if made, err := use(); pyvalue.IsJSON(made) || err != nil {
			t.Errorf("%s keeps the mark, %v", name, err)
		}
	}
}

func TestNamedTuple(t *testing.T) {
	pair := &pyvalue.Tuple{Items: []pyvalue.Value{pyvalue.Int(1), pyvalue.NewList()}, Fields: []string{"grouper", "list"}}
	if v, err := pyvalue.SandboxAttr(nil, pair, "grouper"); v != pyvalue.Value(pyvalue.Int(1)) || err != nil {
		t.Errorf("grouper: %v, %v", v, err)
	}
	if s, err := pyvalue.Repr(nil, pair); s != "(1, [])" || err != nil {
		t.Errorf("repr: %s, %v", s, err)
	}
}
