package jinja

import (
	"strings"

	"agentxchain/internal/pyvalue"
)

// dictsortFilter is value|dictsort(case_sensitive=False, by="key", reverse=False): the
// pairs of a dict in order.
func dictsortFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	no := pyvalue.Bool(false)
	a, err := c.Bind("do_dictsort", required("value"), optional("case_sensitive", no), optional("by", str("key")), optional("reverse", no))
	if err != nil {
		return nil, err
	}
	at := 0
	switch by, _ := pyvalue.AsStr(a[2]); by {
	case "key":
	case "value":
		at = 1
	default:
		return nil, pyvalue.Errorf("FilterArgumentError", `You can only sort by either "key" or "value"`)
	}
	view, err := method(f.meter, a[0], "items")
	if err != nil {
		return nil, err
	}
	return f.sorted(view, a[3], func(pair pyvalue.Value) (pyvalue.Value, error) {
		v, err := pyvalue.GetItem(f.meter, pair, pyvalue.Int(at))
		if err != nil || pyvalue.Truth(a[1]) {
			return v, err
		}
		return ignoreCase(f.meter, v)
	})
}

// sorted is sorted(v, key=key, reverse=reverse).
func (f *frame) sorted(v, reverse pyvalue.Value, key func(pyvalue.Value) (pyvalue.Value, error)) (pyvalue.Value, error) {
	items, err := pyvalue.Items(f.meter, v)
	if err != nil {
		return nil, err
	}
	backwards, err := pyvalue.Index(reverse)
	if err != nil {
		return nil, err
	}
	items, err = pyvalue.Sorted(f.meter, items, key, pyvalue.Truth(backwards))
	return pyvalue.NewList(items...), err
}

// sortFilter is value|sort(reverse=False, case_sensitive=False, attribute=None).
func sortFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	no := pyvalue.Bool(false)
	a, err := c.Bind("do_sort", required("value"), optional("reverse", no), optional("case_sensitive", no), optional("attribute", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	key, err := f.multiGetter(a[3], !pyvalue.Truth(a[2]))
	if err != nil {
		return nil, err
	}
	return f.sorted(a[0], a[1], key)
}

// multiGetter returns a function that lists several attributes, given with
// commas between them.
func (f *frame) multiGetter(attribute pyvalue.Value, lower bool) (func(pyvalue.Value) (pyvalue.Value, error), error) {
	attributes := []pyvalue.Value{attribute}
	if text, ok := pyvalue.AsStr(attribute); ok {
		attributes = nil
		for part := range strings.SplitSeq(text, ",") {
			attributes = append(attributes, str(part))
		}
	}
	var getters []func(pyvalue.Value) (pyvalue.Value, error)
	for _, name := range attributes {
		get, err := f.getter(name, getterOptions{lower: lower})
		if err != nil {
			return nil, err
		}
		getters = append(getters, get)
	}
	return func(v pyvalue.Value) (pyvalue.Value, error) {
		keys := make([]pyvalue.Value, len(getters))
		for i, get := range getters {
			key, err := get(v)
			if err != nil {
				return nil, err
			}
			keys[i] = key
		}
		return f.newList(keys)
	}, nil
}

// uniqueFilter is value|unique(case_sensitive=False, attribute=None): the first of each.
func uniqueFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("sync_do_unique", required("value"), optional("case_sensitive", pyvalue.Bool(false)), optional("attribute", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	return lazy(func() (next, error) {
		get, err := f.getter(a[2], getterOptions{lower: !pyvalue.Truth(a[1])})
		if err != nil {
			return nil, err
		}
		pull, err := f.iterate(a[0])
		if err != nil {
			return nil, err
		}
		return f.unique(pull, get), nil
	}), nil
}

// unique yields the items whose key was not seen before.
func (f *frame) unique(pull next, key func(pyvalue.Value) (pyvalue.Value, error)) next {
	seen := pyvalue.NewDict(0)
	return func() (pyvalue.Value, bool, error) {
		for {
			v, ok, err := pull()
			if err != nil || !ok {
				return nil, false, err
			}
			k, err := key(v)
			if err != nil {
				return nil, false, err
			}
			_, old, err := seen.Get(f.meter, k)
			if err != nil {
				return nil, false, err
			}
			if !old {
				return v, true, seen.Set(f.meter, k, pyvalue.None{})
			}
		}
	}
}

// minFilter is value|min(case_sensitive=False, attribute=None).
func minFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	return f.extreme("do_min", pyvalue.LT, c)
}

// maxFilter is value|max(case_sensitive=False, attribute=None).
func maxFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	return f.extreme("do_max", pyvalue.GT, c)
}

// extreme returns the first item whose key is better than all others'.
func (f *frame) extreme(name string, better pyvalue.Op, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind(name, required("value"), optional("case_sensitive", pyvalue.Bool(false)), optional("attribute", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	key, err := f.getter(a[2], getterOptions{lower: !pyvalue.Truth(a[1])})
	if err != nil {
		return nil, err
	}
	var best, bestKey pyvalue.Value
	err = f.each(a[0], func(v pyvalue.Value) error {
		k, err := key(v)
		if err != nil {
			return err
		}
		wins := best == nil
		if !wins {
			if wins, err = pyvalue.Compare(f.meter, better, k, bestKey); err != nil {
				return err
			}
		}
		if wins {
			best, bestKey = v, k
		}
		return nil
	})
	if err == nil && best == nil {
		best = undefined("No aggregated item, sequence was empty.")
	}
	return best, err
}

// groupbyFilter is value|groupby(attribute, default=None, case_sensitive=False): pairs
// (grouper, list), sorted by the grouper.
func groupbyFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("sync_do_groupby", required("value"), required("attribute"), optional("default", pyvalue.None{}), optional("case_sensitive", pyvalue.Bool(false)))
	if err != nil {
		return nil, err
	}
	exact := pyvalue.Truth(a[3])
	key, err := f.getter(a[1], getterOptions{lower: !exact, fallback: a[2]})
	if err != nil {
		return nil, err
	}
	items, err := pyvalue.Items(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	if items, err = pyvalue.Sorted(f.meter, items, key, false); err != nil {
		return nil, err
	}
	shown, err := f.getter(a[1], getterOptions{fallback: a[2]})
	if err != nil {
		return nil, err
	}
	return f.groups(items, key, shown)
}

// groups makes a (grouper, list) of each run of items with equal keys. shown is
// the grouper of the first item.
func (f *frame) groups(items []pyvalue.Value, key, shown func(pyvalue.Value) (pyvalue.Value, error)) (pyvalue.Value, error) {
	var groups []pyvalue.Value
	var run *pyvalue.List
	var last pyvalue.Value
	for _, v := range items {
		k, err := key(v)
		if err != nil {
			return nil, err
		}
		same := false
		if run != nil {
			if same, err = pyvalue.Equal(f.meter, last, k); err != nil {
				return nil, err
			}
		}
		if same {
			run.Items = append(run.Items, v)
			continue
		}
		grouper, err := shown(v)
		if err != nil {
			return nil, err
		}
		run, last = pyvalue.NewList(v), k
		groups = append(groups, &pyvalue.Tuple{Items: []pyvalue.Value{grouper, run}, Fields: []string{"grouper", "list"}})
	}
	return f.newList(groups)
}
