package cost

import (
	"cmp"
	"slices"
	"time"
)

// foldBelow is how short a record is that Fold sums up with others; foldKeep
// is how many sums it keeps for an hour before those of one type become one.
const (
	foldBelow = time.Hour
	foldKeep  = 64
)

// Fold sums short records up by the hour in which they ended, so that a ledger
// of any number of starts stays small: by instance where an hour has few, else
// by project, group and type. Long records, periods and what was charged stay;
// what only the present needs to know goes. The sums cost what their parts did.
func Fold(lines []Line) []Line {
	var out []Line
	hours := map[int64][]Record{}
	for _, l := range lines {
		switch {
		case l.Period != nil:
			if i := slices.IndexFunc(out, func(o Line) bool { return o.Period != nil && o.Period.ID == l.Period.ID }); i >= 0 {
				out[i] = l
				continue
			}
			out = append(out, l)
		case l.Run == nil:
		case l.Run.length() >= foldBelow || l.Run.Runs > 0:
			out = append(out, l)
		default:
			h := l.Run.End.Unix() / 3600
			hours[h] = append(hours[h], *l.Run)
		}
	}
	var sums []Record
	for _, records := range hours {
		exact := foldHour(records, true)
		if len(exact) > foldKeep {
			exact = foldHour(records, false)
		}
		sums = append(sums, exact...)
	}
	slices.SortFunc(sums, func(a, b Record) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Project, b.Project), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Period, b.Period))
	})
	for _, r := range sums {
		out = append(out, Line{Run: &r})
	}
	return out
}

// foldHour sums up the records that ended in an hour, each instance for itself
// or not.
func foldHour(records []Record, each bool) []Record {
	type key struct {
		flat
		period int64
		fee    float64
	}
	sums := map[key]*Record{}
	var order []key
	for _, r := range records {
		w := r.What
		if !each {
			w.Instance, w.Name, w.Labels = "", "", nil
		}
		k := key{w.flat(), r.Period, r.Fee}
		s := sums[k]
		if s == nil {
			s = &Record{What: w, Period: r.Period, Start: r.Start, End: r.End, Fee: r.Fee}
			sums[k] = s
			order = append(order, k)
		}
		if r.Start.Before(s.Start) {
			s.Start = r.Start
		}
		if r.End.After(s.End) {
			s.End = r.End
		}
		s.Runs++
		s.Ran += r.length()
		s.Billed += r.length() + r.padding()
		s.Credits += r.Credits
	}
	out := make([]Record, 0, len(order))
	for _, k := range order {
		out = append(out, *sums[k])
	}
	return out
}
