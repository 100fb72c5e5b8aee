package load

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes the report for people.
func (r *Report) WriteTable(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("endpoint\tcount\trate/s\tp50 ms\tp95 ms\tp99 ms\tmax ms\tshed\tthrottled\terrors\t\n")
	for _, l := range append(r.Endpoints[:len(r.Endpoints):len(r.Endpoints)], r.Total) {
		p("%s\t%d\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\t\n", l.Name, l.Count, l.Rate, l.P50, l.P95, l.P99, l.Max, l.Shed, l.Throttled, l.Failed)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return r.writeRest(to)
}

func (r *Report) writeRest(to io.Writer) (err error) {
	p := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(to, format, args...)
		}
	}
	p("\n%s: %d users, %.1f s. The times of the total leave logins out.\n", r.Mode, r.Users, r.Seconds)
	for _, kind := range kinds(r.Total.Errors) {
		p("  %8d  %s\n", r.Total.Errors[kind], kind)
	}
	usage := func(name string, u *Usage) {
		if u != nil {
			const mega = 1e6
			p("%s took %.1f s of CPU, %.2f cores, and %.0f MB of memory at most, %.0f before and %.0f after.\n",
				name, u.CPUSeconds, u.Cores, float64(u.RSSMost)/mega, float64(u.RSSBefore)/mega, float64(u.RSSAfter)/mega)
		}
	}
	usage("The service", r.Service)
	if r.Service == nil {
		p("What the service took can't be told: %s.\n", r.ServiceNote)
	}
	usage("The load maker", r.Load)
	if f := r.Fed; f != nil {
		p("%d lines came in, %.0f a second, and waited %.2f s for their commit at most.\n", f.Lines, f.Rate, f.Lag)
		if f.Problem != "" {
			p("They were not all written or understood, or their lag is not known: %s.\n", f.Problem)
		}
	}
	if r.Drift != nil {
		p("From the first third of the time to the last p50 became %.2f times as long, p99 %.2f times.\n", r.Drift.P50, r.Drift.P99)
	}
	if s := r.Spike; s != nil {
		p("p99 was %.1f ms before the spike and %.1f ms in it; ", s.Before.P99, s.Top.P99)
		if s.Recovered == nil {
			p("it did not come back below %.1f ms.\n", s.Limit)
		} else {
			p("it was back below %.1f ms %.2f s after the fall.\n", s.Limit, *s.Recovered)
		}
	}
	if r.Mode != Mix {
		p("\n    from  users   count   p50 ms   p99 ms\n")
		for _, w := range r.Windows {
			p("  %4.0f s  %5d  %6d  %7.1f  %7.1f\n", w.From, w.Users, w.Count, w.P50, w.P99)
		}
	}
	return err
}
