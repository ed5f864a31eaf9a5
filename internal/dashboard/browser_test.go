package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"agentxchain/internal/fixtures"
)

// browser is one tab of a real Chromium, and what it complained about.
type browser struct {
	t    *testing.T
	ctx  context.Context
	site *site

	mu         sync.Mutex
	complaints []string
	hosts      map[string]int
	// expect are complaints that the test provokes.
	expect []string
}

// chromium finds the program, or skips the test: the gate does not accept
// this skip.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	t.Skip("no browser is installed (chromium)")
	return ""
}

// open starts a browser for a site. It ends with the test, which fails when
// the page logged an error, broke its own policy or asked another host.
func open(t *testing.T, s *site, expect ...string) *browser {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1360, 900), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true))
	limited, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	allocated, free := chromedp.NewExecAllocator(limited, opts...)
	ctx, cancel := chromedp.NewContext(allocated, chromedp.WithErrorf(t.Logf))
	b := &browser{t: t, ctx: ctx, site: s, hosts: map[string]int{}, expect: expect}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		free()
		stop()
		b.judge()
	})
	b.do(chromedp.Do(ctx))
	b.do(chromedp.Listen(ctx, b.hear))
	return b
}

// hear notes errors and requests.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, fmt.Sprintf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, fmt.Sprintf("console: %s %v", e.Type, e.Args))
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		url := e.Request.URL
		if strings.HasPrefix(url, "data:") || strings.HasPrefix(url, "about:") {
			return
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
		b.hosts[host]++
	}
}

func (b *browser) judge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		known := false
		for _, e := range b.expect {
			known = known || strings.Contains(c, e)
		}
		if !known {
			b.t.Errorf("the browser complains: %s", c)
		}
	}
	own := strings.TrimPrefix(b.site.URL, "http://")
	if b.hosts[own] == 0 {
		b.t.Error("the browser asked nothing of the dashboard")
	}
	for host, n := range b.hosts {
		if host != own && !strings.HasPrefix(host, "127.0.0.1:") {
			b.t.Errorf("%d requests to %s", n, host)
		}
	}
}

func (b *browser) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Do(b.ctx, chromedp.Navigate(b.site.URL+path)))
}

// is asks the page a yes-or-no question until the answer is yes.
func (b *browser) is(expression string) {
	b.t.Helper()
	end := time.After(15 * time.Second)
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && yes {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location.href + ' ' + document.body.innerText"))
			b.t.Fatalf("not so: %s (%v)\n%s", expression, err, text)
		}
	}
}

func (b *browser) text(expression string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	b.do(err)
	return s
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))))
}

func (b *browser) keys(keys string) {
	b.t.Helper()
	b.do(chromedp.Do(b.ctx, chromedp.KeyEvent(keys)))
}

// login types a name and a password.
func (b *browser) login(name, password string) {
	b.t.Helper()
	b.visit("/dashboard/")
	b.is(`location.pathname == "/dashboard/login"`)
	b.do(chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.CSS("[name=username]"), name), chromedp.SendKeys(chromedp.CSS("[name=password]"), password+kb.Enter)))
	b.is(`location.pathname == "/dashboard/notifications" && document.readyState == "complete"`)
}

// picture keeps a screenshot where AGENTXCHAIN_SCREENSHOTS says.
func (b *browser) picture(name string) {
	b.t.Helper()
	shot, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.do(err)
	if len(shot) < 5000 {
		b.t.Errorf("the screenshot %s has %d bytes", name, len(shot))
	}
	dir := os.Getenv("AGENTXCHAIN_SCREENSHOTS")
	if dir == "" {
		return
	}
	b.do(os.MkdirAll(dir, 0o755))
	b.do(os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644))
}

func (b *browser) viewport(width, height int64) {
	b.t.Helper()
	b.do(chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height)))
}

func (b *browser) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	b.do(err)
}

// TestBrowser walks through the pages as people do.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	chromium(t)
	cases := []struct {
		name string
		run  func(*testing.T)
	}{
		{"login, filter and page", browseFilter},
		{"retry, delivered live", browseRetry},
		{"refused without rights", browseRights},
		{"refused from another site", browseCrossSite},
		{"keyboard", browseKeys},
		{"several tabs follow", browseTabs},
		{"what agents say runs nowhere", browseHostile},
		{"theme", browseTheme},
		{"pictures", browsePictures},
	}
	ran := 0
	for _, c := range cases {
		if t.Run(c.name, c.run) {
			ran++
		}
	}
	fixtures.Ran(t, "browser", ran)
}

func browseFilter(t *testing.T) {
	b := open(t, serve(t, sample(), nil), "401")
	b.visit("/dashboard/notifications?status=failed")
	b.is(`location.pathname == "/dashboard/login"`)
	b.do(chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.CSS("[name=username]"), "ada"), chromedp.SendKeys(chromedp.CSS("[name=password]"), "wrong"+kb.Enter)))
	b.is(`document.querySelector("[role=alert]")?.innerText.includes("wrong")`)
	b.do(chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.CSS("[name=password]"), adminPassword+kb.Enter)))
	b.is(`location.search == "?status=failed" && document.querySelectorAll("tr[data-row]").length > 0`)
	b.is(`[...document.querySelectorAll("tr[data-row]")].every(r => ["failed", "discarded"].includes(r.dataset.status))`)
	b.visit(home)
	b.do(chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.CSS("[name=agent_id]"), "triage-bot"+kb.Enter)))
	b.is(`location.search.includes("agent_id=triage-bot") && [...document.querySelectorAll(".c-agent a:first-child")].every(a => a.innerText == "triage-bot")`)
	b.visit(home)
	b.is(`document.querySelector(".pager").innerText.includes("Showing 1-20 of 140")`)
	b.click(`a[rel=next]`)
	b.is(`document.querySelector(".pager")?.innerText.includes("Showing 21-40 of 140")`)
	b.click(`a[rel=prev]`)
	b.is(`document.querySelector(".pager")?.innerText.includes("Showing 1-20 of 140")`)
}

func browseRetry(t *testing.T) {
	s := serve(t, records(3), nil)
	b := open(t, s)
	b.login("ada", adminPassword)
	id := s.log.records[1].ID
	row := `document.getElementById("d-` + id + `")`
	// A selection elsewhere survives what changes.
	b.text(`getSelection().selectAllChildren(document.querySelector("#d-` + s.log.records[0].ID + ` .c-target"))`)
	b.click("#d-" + id + " button")
	b.is(row + `.dataset.status == "sending" && document.querySelector("#notice .ok")`)
	b.is(`!` + row + `.querySelector("button")`)
	s.log.settle(id)
	b.is(row + `.dataset.status == "delivered" && document.getElementById("announce").innerText.includes("delivered")`)
	if got := b.text("getSelection()"); got != "ops" {
		t.Errorf("the selection became %q", got)
	}
	if n := s.log.sent[id]; n != 1 {
		t.Errorf("%d retries", n)
	}
	// The same on the page of one delivery.
	id = s.log.records[2].ID
	b.visit(home + "/" + id)
	b.click("[data-retry] button")
	b.is(`document.querySelector(".pill").innerText == "Sending"`)
	s.log.settle(id)
	b.is(`document.querySelector(".pill").innerText == "Delivered" && document.querySelectorAll(".tries li").length == 1`)
}

func browseRights(t *testing.T) {
	s := serve(t, records(2), nil)
	b := open(t, s, "403")
	b.login("grace", userPassword)
	b.is(`document.querySelectorAll("tr[data-row]").length == 2 && !document.querySelector("[data-retry]")`)
	path := home + "/" + s.log.records[0].ID
	b.visit(path)
	b.is(`document.querySelector(".pill") && !document.querySelector("[data-retry]")`)
	b.text(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = "` + path + `/retry"; document.body.append(f); f.submit(); })()`)
	b.is(`document.querySelector("h1")?.innerText == "Not allowed"`)
	if len(s.log.sent) > 0 {
		t.Error("it was sent")
	}
}

func browseCrossSite(t *testing.T) {
	s := serve(t, records(1), nil)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<link rel="icon" href="data:,"><form method="post" action="%s%s/%s/retry"><button>Win</button></form>`, s.URL, home, s.log.records[0].ID)
	}))
	t.Cleanup(other.Close)
	b := open(t, s, "403")
	b.login("ada", adminPassword)
	b.do(chromedp.Do(b.ctx, chromedp.Navigate(other.URL)))
	b.click("button")
	b.is(`document.querySelector("h1")?.innerText == "Refused"`)
	if len(s.log.sent) > 0 {
		t.Error("it was sent")
	}
}

func browseKeys(t *testing.T) {
	s := serve(t, records(4), nil)
	b := open(t, s)
	b.login("ada", adminPassword)
	second := s.log.records[1].ID
	b.keys("j")
	b.keys("j")
	b.is(`document.activeElement.id == "d-` + second + `"`)
	b.keys("r")
	b.is(`document.activeElement.id == "d-` + second + `" && document.activeElement.dataset.status == "sending"`)
	b.keys("k")
	b.is(`document.activeElement.id == "d-` + s.log.records[0].ID + `"`)
	b.keys("?")
	b.is(`document.getElementById("help").open`)
	b.keys(kb.Escape)
	b.is(`!document.getElementById("help").open`)
	// One event with its text, as a keyboard sends it.
	_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Text: "/"})
	b.do(err)
	b.is(`document.activeElement.name == "agent_id"`)
	b.keys("jr?")
	if got := b.text(`document.querySelector("[name=agent_id]").value`); got != "jr?" {
		t.Errorf("the field holds %q", got)
	}
	b.keys(kb.Escape)
	b.keys("j")
	b.keys(kb.Enter)
	b.is(`location.pathname == "` + home + "/" + s.log.records[0].ID + `" && document.querySelector("[data-back]")`)
	b.keys("u")
	b.is(`location.pathname == "` + home + `"`)
	if len(s.log.sent) != 1 || s.log.sent[second] != 1 {
		t.Errorf("sent: %v", s.log.sent)
	}
}

// browseTabs opens more tabs than a browser opens connections: one of them
// listens for all, and each hears of the change.
func browseTabs(t *testing.T) {
	s := serve(t, records(1), nil)
	b := open(t, s)
	b.login("ada", adminPassword)
	var tabs []*browser
	for range 7 {
		ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewWindow(false))
		t.Cleanup(cancel)
		tab := &browser{t: t, ctx: ctx, site: s}
		tab.visit(home)
		tabs = append(tabs, tab)
	}
	s.log.settle(s.log.records[0].ID)
	for _, tab := range append(tabs, b) {
		tab.is(`document.querySelector("tr[data-row]").dataset.status == "delivered"`)
	}
}

func browseHostile(t *testing.T) {
	log := records(1)
	spoil(&log.records[0])
	s := serve(t, log, nil)
	b := open(t, s)
	b.login("ada", adminPassword)
	b.is(`document.querySelectorAll("tr[data-row]").length == 1 && !window.pwned`)
	b.visit(home + "/" + log.records[0].ID)
	b.is(`document.querySelector("#raw").textContent.includes("<script>") && !window.pwned`)
	if n := b.text(`document.querySelectorAll("main script, main img, main iframe").length`); n != "0" {
		t.Errorf("%s foreign elements", n)
	}
}

func browseTheme(t *testing.T) {
	b := open(t, serve(t, sample(), nil))
	b.scheme("light")
	b.login("ada", adminPassword)
	light := b.text(`getComputedStyle(document.body).backgroundColor`)
	b.click("[data-theme-toggle]")
	b.is(`getComputedStyle(document.body).backgroundColor != "` + light + `"`)
	b.visit(home)
	b.is(`getComputedStyle(document.body).backgroundColor != "` + light + `"`)
	b.click("[data-theme-toggle]")
	b.is(`getComputedStyle(document.body).backgroundColor == "` + light + `"`)
}

func browsePictures(t *testing.T) {
	log := sample()
	s := serve(t, log, nil)
	b := open(t, s, "400", "404", "503")
	b.scheme("light")
	b.visit("/dashboard/login")
	b.picture("login-light")
	b.login("ada", adminPassword)
	several := ""
	for _, r := range log.records {
		if several == "" && r.Status == "failed" && len(r.Tries) == 3 {
			several = home + "/" + r.ID
		}
	}
	pages := []struct{ name, path string }{
		{"list", home},
		{"details-failed", several},
		{"details-delivered", home + "/" + log.records[10].ID},
		{"no-match", home + "?agent_id=nobody&run_id=run_1"},
		{"bad-filter", home + "?stauts=failed&since=2h&event_type=run_blokced"},
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		for _, p := range pages {
			b.visit(p.path)
			b.is(`!document.getElementById("live-state") || document.getElementById("live-state").dataset.state == "on"`)
			b.picture(p.name + "-" + scheme)
		}
	}
	b.viewport(390, 844)
	for _, p := range pages {
		b.visit(p.path)
		b.is(`document.documentElement.scrollWidth <= innerWidth`)
		b.picture(p.name + "-phone")
	}
	b.viewport(1360, 900)
	b.scheme("light")
	log.lock()()
	log.mu.Lock()
	log.extra = 1_000_000
	log.mu.Unlock()
	b.visit(home + "?offset=499980")
	b.picture("million-light")
	log.mu.Lock()
	log.extra, log.records, log.version = 0, nil, 2
	log.mu.Unlock()
	b.visit(home)
	b.picture("empty-light")
	log.mu.Lock()
	log.broken = context.DeadlineExceeded
	log.mu.Unlock()
	b.visit(home)
	b.picture("error-light")
	unkept := open(t, serve(t, records(0), func(o *Options) {
		o.Log, o.Overview, o.Desk, o.Names, o.Open = nil, nil, nil, nil, true
		o.Unkept = "Nothing is kept, because gateway.yaml switches persistence off."
	}))
	unkept.visit(home)
	unkept.picture("unkept-light")
}
