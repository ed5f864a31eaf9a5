package dashboard

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

// has fails unless a page has all of the texts.
func has(t *testing.T, a reply, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page lacks %q\n%s", text, a.body)
		}
	}
}

func lacks(t *testing.T, a reply, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("the page has %q", text)
		}
	}
}

// Every answer, whatever its kind, says what a browser may do with it.
func TestHeaders(t *testing.T) {
	s := serve(t, records(1), nil)
	c := s.login(t, "ada", adminPassword)
	home404 := s.get(t, c, "/dashboard/nowhere")
	has(t, home404, http.StatusNotFound, "There is no such page.")
	for _, a := range []reply{home404, s.get(t, c, home), s.get(t, c, "/dashboard/"), s.get(t, s.client(t), home), s.get(t, s.client(t), "/dashboard/login")} {
		for _, h := range [][2]string{{"Content-Security-Policy", policy}, {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "same-origin"}, {"Cache-Control", "no-store"}} {
			if got := a.header.Get(h[0]); got != h[1] {
				t.Errorf("%d: %s is %q", a.status, h[0], got)
			}
		}
	}
	page := s.get(t, c, home)
	lacks(t, page, "style=", "onclick=", "<style", "http://", "https://")
	n := 0
	for _, part := range strings.Split(page.body, `"`) {
		if strings.HasPrefix(part, "/dashboard/assets/") {
			a := s.get(t, s.client(t), part)
			has(t, a, http.StatusOK)
			if got := a.header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
				t.Errorf("%s: %q", part, got)
			}
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d assets", n)
	}
	has(t, s.get(t, c, "/dashboard/assets/..%2fdashboard.go"), http.StatusNotFound)
}

// The list as the guide describes it.
func TestList(t *testing.T) {
	s := serve(t, records(45), nil)
	c := s.login(t, "ada", adminPassword)
	first := s.get(t, c, home+"?status=failed&agent_id=report-agent")
	has(t, first, http.StatusOK, "Showing 1-20 of 45", "Feb 21, 16:30 UTC", `datetime="2026-02-21T16:30:00.000Z"`, `title="2026-02-21T16:30:00.000Z"`,
		"?agent_id=report-agent&amp;offset=20&amp;status=failed", "Connection refused", "Nothing accepted the connection at that address.")
	if n := strings.Count(first.body, "data-retry"); n != 20 {
		t.Errorf("%d retry buttons", n)
	}
	last := s.get(t, c, home+"?offset=40")
	has(t, last, http.StatusOK, "Showing 41-45 of 45", "?offset=20", `aria-disabled="true">Next`)
	has(t, s.get(t, c, home+"?offset=30"), http.StatusOK, "Showing 31-45 of 45", "?offset=10")
	has(t, s.get(t, c, home+"?offset=5"), http.StatusOK, "Showing 6-25 of 45", `rel="prev" href="/dashboard/notifications"`)
	has(t, s.get(t, c, home+"?offset=60"), http.StatusOK, "past the end", "?offset=40")
	has(t, s.get(t, c, home+"?target=%23none%26x"), http.StatusOK, "No notification records found.", `value="#none&amp;x"`)
	has(t, s.get(t, c, home+"?execution_id=exec-0003&run_id=&since=all"), http.StatusOK, "exec-0003", `href="/dashboard/notifications/01KHZ000000000000000000003"`)
	for _, word := range []string{"delivered", "failed", "pending"} {
		has(t, s.get(t, c, home), http.StatusOK, `href="/dashboard/notifications?status=`+word+`"`)
	}
	fragment := s.fragment(t, c, home)
	has(t, fragment, http.StatusOK, `id="rows"`, `id="top"`)
	lacks(t, fragment, "<html", "<form class=\"filters\"")
	odd := records(21)
	for i := range odd.records {
		odd.records[i].Label = "#a&b=c d"
	}
	has(t, serve(t, odd, nil).asAdmin(t, home+"?target=%23a%26b%3Dc+d"), http.StatusOK, `rel="next" href="/dashboard/notifications?offset=20&amp;target=%23a%26b%3Dc&#43;d"`)
	has(t, serve(t, records(0), nil).asAdmin(t, home), http.StatusOK, "No notification records found.", "agentxchain notify test")
}

func (s *site) fragment(t *testing.T, c *http.Client, path string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Fragment", "live")
	return s.do(t, c, r)
}

func (s *site) asAdmin(t *testing.T, path string) reply {
	t.Helper()
	return s.get(t, s.login(t, "ada", adminPassword), path)
}

// A filter that can't be followed shows no rows, and says why.
func TestBadFilters(t *testing.T) {
	s := serve(t, records(3), nil)
	c := s.login(t, "ada", adminPassword)
	for _, tt := range []struct{ query, want string }{
		{"status=broken", "“status” is “broken”; it may be delivered, failed, pending."},
		{"stauts=failed", "There is no filter “stauts”. Did you mean “status”?"},
		{"offset=-1", "“offset” is “-1”"},
		{"offset=1e9", "“offset” is “1e9”"},
		{"offset=99999999999999999999", "“offset” is “99999999999999999999”"},
		{"channel=email", "it may be webhook, slack."},
		{"since=2h", "it may be 1h, 24h, 7d, all."},
		{"event_type=run_blokced", "There is no event type “run_blokced”. Did you mean “run_blocked”?"},
		{"agent_id=a&agent_id=b", "“agent_id” is given 2 times"},
		{"agent_id=%00", "“agent_id” has characters that no record has."},
		{"agent_id=%ff", "“agent_id” has characters that no record has."},
		{"target=" + strings.Repeat("x", 513), "“target” is longer than 512 characters."},
		{"status=%zz", "The address can&#39;t be read"},
	} {
		a := s.get(t, c, home+"?"+tt.query)
		has(t, a, http.StatusBadRequest, tt.want)
		lacks(t, a, "data-row")
	}
	has(t, s.get(t, c, home+"?event_type=execution.failed"), http.StatusOK, `<option value="on_error" selected>`, "data-row")
}

// Unreadable is not empty, and its cause stays with the server.
func TestBroken(t *testing.T) {
	log := records(3)
	log.broken = errors.New("dial postgres://user:hunter2@db: refused")
	s := serve(t, log, nil)
	c := s.login(t, "ada", adminPassword)
	for _, path := range []string{home, home + "/" + log.records[0].ID} {
		a := s.get(t, c, path)
		has(t, a, http.StatusServiceUnavailable, "The delivery log can&#39;t be read")
		lacks(t, a, "hunter2", "No notification records found.")
	}
	has(t, s.fragment(t, c, home), http.StatusServiceUnavailable, "The delivery log can&#39;t be read")
}

func TestUnkept(t *testing.T) {
	const why = "Persistence is switched off."
	s := serve(t, records(0), func(o *Options) { o.Log, o.Overview, o.Desk, o.Names, o.Unkept = nil, nil, nil, nil, why })
	c := s.login(t, "ada", adminPassword)
	has(t, s.get(t, c, home), http.StatusOK, "No notification records found.", why)
	has(t, s.get(t, c, home+"/x"), http.StatusNotFound, why)
	has(t, s.get(t, c, "/dashboard/live"), http.StatusNotFound, why)
	has(t, s.post(t, c, home+"/x/retry", nil, nil), http.StatusServiceUnavailable, why)
	if _, err := New(Options{}); err == nil {
		t.Error("no log and no reason")
	}
}

// A delivery in full: words, numbers, and the bytes exactly.
func TestDetails(t *testing.T) {
	log := sample()
	s := serve(t, log, nil)
	c := s.login(t, "grace", userPassword)
	r := log.records[0]
	a := s.get(t, c, home+"/"+r.ID)
	has(t, a, http.StatusOK, "Not delivered after 1 attempt.", "Ended while connecting. The receiver has not seen it.", "203.0.113.24:443", "2 ms",
		"Headers are not kept", "execution_id="+url.QueryEscape(r.ExecutionID), "event_id="+r.Event.ID, strconv.Itoa(len(r.Body))+" bytes")
	lacks(t, a, "data-retry")
	has(t, s.asAdmin(t, home+"/"+r.ID), http.StatusOK, "data-retry", "Retry now")
	body := s.get(t, c, home+"/"+r.ID+"/body")
	if body.body != string(r.Body) || body.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(body.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("body %q %v", body.body, body.header)
	}
	for _, id := range []string{"nope", "%00", strings.Repeat("x", 200), "..%2f"} {
		has(t, s.get(t, c, home+"/"+id), http.StatusNotFound)
	}
	log.records[0].Imported = true
	has(t, s.asAdmin(t, home+"/"+r.ID), http.StatusOK, "made by another program")
	lacks(t, s.asAdmin(t, home+"/"+r.ID), "data-retry")
	has(t, s.get(t, c, home+"/"+r.ID+"/body"), http.StatusNotFound)
	log.records[3].Body = []byte("\xff\xfe not text")
	has(t, s.get(t, c, home+"/"+log.records[3].ID), http.StatusOK, "not UTF-8")
	log.records[4].Body = []byte(strings.Repeat("é", maxShown))
	has(t, s.get(t, c, home+"/"+log.records[4].ID), http.StatusOK, "Only the beginning is shown", "128.0 KB")
}

// What agents write is shown and never obeyed.
func TestEscaping(t *testing.T) {
	log := records(1)
	spoil(&log.records[0])
	s := serve(t, log, func(o *Options) { o.Title = "<script>title</script>" })
	c := s.login(t, "ada", adminPassword)
	for _, path := range []string{home, home + "/" + log.records[0].ID, home + "?agent_id=" + url.QueryEscape(`"><script>x`), home + "?" + url.QueryEscape("<script>") + "=1", "/dashboard/<script>"} {
		a := s.get(t, c, path)
		lacks(t, a, "<script>", "<img", `href="javascript:`)
	}
	lacks(t, s.get(t, s.client(t), "/dashboard/login?next="+url.QueryEscape(`"><script>`)), "<script>")
}

// Retry answers each outcome in words, as a page and to the script.
func TestRetry(t *testing.T) {
	log := records(3)
	s := serve(t, log, nil)
	c := s.login(t, "ada", adminPassword)
	path := home + "/" + log.records[0].ID + "/retry"
	back := home + "?agent_id=report-agent&offset=0"
	a := s.post(t, c, path, url.Values{"back": {back}}, nil)
	if a.status != http.StatusSeeOther || a.header.Get("Location") != back {
		t.Errorf("%d to %q", a.status, a.header.Get("Location"))
	}
	has(t, s.get(t, c, back), http.StatusOK, "Sent again: the same bytes, now.", "Sending")
	lacks(t, s.get(t, c, back), "Sent again")
	// The second click of two finds it busy.
	has(t, s.post(t, c, path, nil, map[string]string{"X-Fragment": "retry"}), http.StatusConflict, `{"ok":false,"message":"It is being sent already.`)
	if log.sent[log.records[0].ID] != 1 {
		t.Errorf("sent %v", log.sent)
	}
	for _, tt := range []struct {
		err    error
		status int
		text   string
	}{
		{delivery.ErrBusy, 409, "being sent already"},
		{delivery.ErrDone, 409, "Nothing is left to retry"},
		{delivery.ErrBodyless, 409, "not known here"},
		{delivery.ErrUnknown, 404, "no such delivery"},
		{errors.New("password=hunter2"), 503, "could not be sent again"},
	} {
		log.refuse = tt.err
		got := s.post(t, c, path, nil, map[string]string{"X-Fragment": "retry"})
		has(t, got, tt.status, tt.text)
		lacks(t, got, "hunter2")
		s.post(t, c, path, nil, nil)
		has(t, s.get(t, c, home), http.StatusOK, tt.text, "notice bad")
	}
	log.refuse = nil
	id := log.records[1].ID
	for _, tt := range []struct {
		name   string
		client *http.Client
		header map[string]string
		status int
	}{
		{"user", s.login(t, "grace", userPassword), nil, 403},
		{"user's script", s.login(t, "grace", userPassword), map[string]string{"X-Fragment": "retry"}, 403},
		{"nobody", s.client(t), nil, 303},
		{"nobody's script", s.client(t), map[string]string{"X-Fragment": "retry"}, 401},
		{"another site", c, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a sibling", c, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"another origin", c, map[string]string{"Origin": "https://evil.example"}, 403},
		{"no origin", c, map[string]string{"Origin": "null"}, 403},
	} {
		if got := s.post(t, tt.client, home+"/"+id+"/retry", nil, tt.header); got.status != tt.status {
			t.Errorf("%s: %d", tt.name, got.status)
		}
	}
	has(t, s.get(t, c, home+"/"+id+"/retry"), http.StatusNotFound)
	if log.sent[id] != 0 {
		t.Error("it was sent")
	}
}

// Each reason of the closed list has words of its own.
func TestEveryReasonIsExplained(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../delivery/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s has no literal", spec.Names[0].Name)
		}
		reason, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		e := explain(delivery.Reason(reason))
		if strings.Contains(e.Text, "no explanation") || !strings.HasSuffix(e.Text, ".") || seen[e.Short] != "" {
			t.Errorf("%s: %+v", reason, e)
		}
		seen[e.Short] = reason
		n++
		return true
	})
	if n != 21 {
		t.Errorf("%d reasons", n)
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{number(1000000), "1,000,000"},
		{number(-1234), "-1,234"},
		{number(999), "999"},
		{span(0), "under 1 ms"},
		{span(1500 * time.Millisecond), "1.5 s"},
		{span(2 * time.Second), "2 s"},
		{span(90 * time.Second), "1 min 30 s"},
		{span(3 * time.Hour), "3 h"},
		{span(50 * time.Hour), "2 d 2 h"},
		{size(1), "1 byte"},
		{size(2048), "2.0 KB (2,048 bytes)"},
		{percent(0, 0), "–"},
		{percent(999999, 1000000), "99.9%"},
		{percent(1, 1000000), "0.1%"},
		{percent(3, 3), "100%"},
		{percent(0, 9), "0%"},
		{at(time.Time{}).Text, "-"},
		{at(time.Date(2026, 2, 1, 3, 4, 0, 0, time.FixedZone("x", 3600))).Text, "Feb 01, 02:04 UTC"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// The drawing counts what it was given, and nothing outside its span.
func TestChart(t *testing.T) {
	start := testNow().Truncate(time.Hour)
	buckets := []delivery.Bucket{
		{Target: "a", Start: start, Delivered: 9, Failed: 1},
		{Target: "a", Start: start.Add(90 * time.Minute), Waiting: 2},
		{Target: "a", Start: start.Add(-time.Minute), Failed: 100},
		{Target: "a", Start: start.Add(4 * time.Hour), Failed: 100},
	}
	for i := range 8 {
		buckets = append(buckets, delivery.Bucket{Target: "t" + strconv.Itoa(i), Start: start, Delivered: 1})
	}
	c := newChart(buckets, start, time.Hour, 4, "last hours")
	if len(c.Series) != maxSeries || c.More != 3 {
		t.Fatalf("%d series, %d more", len(c.Series), c.More)
	}
	a := c.Series[0]
	if a.Target != "a" || a.Delivered != 9 || a.Failed != 1 || a.Waiting != 2 || a.Rate != "90.0%" || a.Mood != "fair" || len(a.Bars) != 2 || a.Bars[1].X != slot {
		t.Errorf("%+v", a)
	}
	for _, s := range c.Series {
		for _, b := range s.Bars {
			for _, p := range b.Parts {
				if p.Y < 0 || p.Y+p.Height > plotHeight+0.01 {
					t.Errorf("%s: %+v", s.Target, p)
				}
			}
		}
	}
}

// FuzzQuery holds that an accepted query survives its own links.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "status=failed&agent_id=a%20b&offset=40", "target=%23x&since=24h", "offset=-1", "a;b", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q := parseQuery(raw)
		if len(q.Problems) > 0 {
			return
		}
		_, again, _ := strings.Cut(q.at(q.Offset), "?")
		p := parseQuery(again)
		if len(p.Problems) > 0 || p.at(p.Offset) != q.at(q.Offset) || p.filter(testNow()).Since != q.filter(testNow()).Since {
			t.Errorf("%q became %q: %v", raw, again, p.Problems)
		}
	})
}

// FuzzOwnPath holds that no link leads away.
func FuzzOwnPath(f *testing.F) {
	for _, s := range []string{"", "//evil.example", "https://evil.example/dashboard/notifications", `/\evil`, home + "/../../x", home + "?a=b", home + "/%2e%2e/login", "/dashboard/notifications//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ownPath(s)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(got, home) || strings.ContainsAny(got, "\\\r\n") || strings.Contains(u.Path, "/..") {
			t.Errorf("%q leads to %q", s, got)
		}
	})
}

// One goroutine looks for all streams, each hears of a change, and nothing
// stays when they end. TestMain counts goroutines.
func TestLive(t *testing.T) {
	log := records(1)
	stop := make(chan struct{})
	s := serve(t, log, func(o *Options) { o.Stop = stop })
	if a := s.get(t, s.client(t), "/dashboard/live"); a.status != http.StatusUnauthorized {
		t.Errorf("without a session: %d", a.status)
	}
	c := s.login(t, "ada", adminPassword)
	var streams []*http.Response
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/dashboard/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		if res.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%v", res.Header)
		}
		streams = append(streams, res)
	}
	for _, res := range streams {
		hear(t, res, "event: version\ndata: \"0\"\n\n")
	}
	log.lock()
	log.version = 1
	log.mu.Unlock()
	for _, res := range streams {
		hear(t, res, "event: version\ndata: \"1\"\n\n")
	}
	log.lock()
	log.broken = errors.New("gone")
	log.mu.Unlock()
	for _, res := range streams {
		hear(t, res, "event: down\n")
	}
	close(stop)
	for _, res := range streams {
		hear(t, res, "")
	}
}

// hear reads a stream until it has said a text; "" until it ends.
func hear(t *testing.T, res *http.Response, text string) {
	t.Helper()
	var got strings.Builder
	buffer := make([]byte, 256)
	for text == "" || !strings.Contains(got.String(), text) {
		n, err := res.Body.Read(buffer)
		got.Write(buffer[:n])
		if err != nil {
			if text != "" {
				t.Fatalf("heard %q, want %q: %v", got.String(), text, err)
			}
			return
		}
	}
}

// The hub looks only while somebody watches, and refuses a crowd.
func TestHub(t *testing.T) {
	log := records(1)
	b := newHub(log, time.Millisecond, serve(t, log, nil).quiet())
	c := b.join(t.Context())
	<-c
	b.leave(c)
	log.lock()
	looks := log.looks
	log.mu.Unlock()
	if looks == 0 {
		t.Error("nobody looked")
	}
	var all []chan news
	for range maxStreams {
		all = append(all, b.join(t.Context()))
	}
	if b.join(t.Context()) != nil {
		t.Error("one too many was let in")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, c := range all {
		select {
		case <-c:
		case <-ctx.Done():
			t.Fatal("no news")
		}
	}
	for _, c := range all {
		b.leave(c)
	}
}

// A stream outlives the time limits that a server sets for short answers.
func TestLiveOutlivesTheServersLimits(t *testing.T) {
	log := records(1)
	s := serve(t, log, func(o *Options) { o.Open = true })
	limited := httptest.NewUnstartedServer(s.Config.Handler)
	limited.Config.ReadTimeout, limited.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	limited.Start()
	t.Cleanup(limited.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, limited.URL+"/dashboard/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	// Each look is 20 ms after the last; twenty of them are far beyond the limits.
	for range 20 {
		log.lock()
		looks := log.looks
		log.version++
		version := log.version
		log.mu.Unlock()
		hear(t, res, "data: \""+strconv.Itoa(version)+"\"")
		log.lock()
		if log.looks <= looks {
			t.Error("news without a look")
		}
		log.mu.Unlock()
	}
}
