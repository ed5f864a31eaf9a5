package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"agentxchain/internal/delivery"
)

const (
	// maxSeries is how many targets are drawn; the others are counted.
	maxSeries = 6
	// plotHeight and slot are in the units of the drawing's viewBox.
	plotHeight = 36
	slot       = 8
)

// chartView draws what became of deliveries over time, a row per target.
type chartView struct {
	// Span says what the time axis covers.
	Span   string
	From   string
	To     string
	Series []series
	// More counts targets that are not drawn.
	More int
	// Width and Height are of the viewBox.
	Width, Height int
}

// series is one target's row.
type series struct {
	Target  string
	Channel delivery.Channel
	URL     string
	// Rate is the share of delivered among those that ended.
	Rate string
	// Mood is "good", "fair" or "bad" by the rate, empty without one.
	Mood                       string
	Delivered, Failed, Waiting int64
	Bars                       []bar
	// Describe is the drawing in words.
	Describe string
}

// bar is one span of time, drawn as up to three rectangles on each other.
type bar struct {
	X int
	// Tip is what hovering shows.
	Tip   string
	Parts []part
	total int64
}

// part is one rectangle.
type part struct {
	Class     string
	Y, Height float64
}

// chartSpan chooses the axis for a value of "since".
func chartSpan(since string) (total, width time.Duration, words string) {
	switch since {
	case "1h":
		return time.Hour, 2 * time.Minute, "last hour"
	case "24h":
		return 24 * time.Hour, 30 * time.Minute, "last 24 hours"
	}
	return 7 * 24 * time.Hour, 3 * time.Hour, "last 7 days"
}

// newChart arranges buckets from start on. A bucket belongs to the span in
// which it starts.
func newChart(buckets []delivery.Bucket, start time.Time, width time.Duration, slots int, words string) *chartView {
	c := &chartView{Span: words, From: at(start).Text, To: "now", Width: slots * slot, Height: plotHeight}
	type key struct {
		target  string
		channel delivery.Channel
	}
	index := map[key]int{}
	var list []series
	spans := map[key][]delivery.Bucket{}
	for _, b := range buckets {
		i := int(b.Start.Sub(start) / width)
		if b.Start.Before(start) || i >= slots {
			continue
		}
		k := key{b.Target, b.Channel}
		if _, ok := index[k]; !ok {
			index[k] = len(list)
			list = append(list, series{Target: b.Target, Channel: b.Channel, URL: only("target", b.Target)})
			spans[k] = make([]delivery.Bucket, slots)
		}
		s, at := &list[index[k]], &spans[k][i]
		s.Delivered, s.Failed, s.Waiting = s.Delivered+b.Delivered, s.Failed+b.Failed, s.Waiting+b.Waiting
		at.Delivered, at.Failed, at.Waiting = at.Delivered+b.Delivered, at.Failed+b.Failed, at.Waiting+b.Waiting
	}
	// Trouble first: what fails is what one came to see; then the busiest.
	slices.SortFunc(list, func(a, b series) int {
		return cmp.Or(cmp.Compare(b.Failed, a.Failed), cmp.Compare(b.Delivered+b.Waiting, a.Delivered+a.Waiting),
			cmp.Compare(a.Target, b.Target), cmp.Compare(a.Channel, b.Channel))
	})
	if len(list) > maxSeries {
		c.More = len(list) - maxSeries
		list = list[:maxSeries]
	}
	for i := range list {
		list[i].draw(spans[key{list[i].Target, list[i].Channel}], start, width, words)
	}
	c.Series = list
	return c
}

// draw makes the bars of a row, as high as the row's own greatest span.
func (s *series) draw(spans []delivery.Bucket, start time.Time, width time.Duration, words string) {
	s.Rate = percent(s.Delivered, s.Delivered+s.Failed)
	s.Mood = mood(s.Delivered, s.Failed)
	s.Describe = fmt.Sprintf("%s, %s: %s delivered, %s failed, %s waiting; success rate %s.",
		s.Target, words, number(s.Delivered), number(s.Failed), number(s.Waiting), s.Rate)
	var greatest int64 = 1
	for _, b := range spans {
		greatest = max(greatest, b.Delivered+b.Failed+b.Waiting)
	}
	for i, b := range spans {
		total := b.Delivered + b.Failed + b.Waiting
		if total == 0 {
			continue
		}
		from := start.Add(time.Duration(i) * width)
		s.Bars = append(s.Bars, bar{
			X: i * slot, total: total, Parts: stack(b, greatest),
			Tip: fmt.Sprintf("%s – %s · %s delivered, %s failed, %s waiting · success rate %s", from.Format("Jan 02, 15:04"), from.Add(width).Format("15:04 UTC"),
				number(b.Delivered), number(b.Failed), number(b.Waiting), percent(b.Delivered, b.Delivered+b.Failed)),
		})
	}
}

// stack puts failed on waiting on delivered. A part is never too thin to see.
func stack(b delivery.Bucket, greatest int64) []part {
	var parts []part
	y := float64(plotHeight)
	for _, p := range []struct {
		class string
		n     int64
	}{{"delivered", b.Delivered}, {"waiting", b.Waiting}, {"failed", b.Failed}} {
		if p.n == 0 {
			continue
		}
		height := max(2.5, float64(p.n)/float64(greatest)*(plotHeight-6))
		y -= height
		parts = append(parts, part{Class: p.class, Y: y, Height: height})
	}
	return parts
}

func mood(delivered, failed int64) string {
	switch {
	case delivered+failed == 0:
		return ""
	case failed == 0 || float64(delivered)/float64(delivered+failed) >= 0.99:
		return "good"
	case float64(delivered)/float64(delivered+failed) >= 0.9:
		return "fair"
	}
	return "bad"
}
