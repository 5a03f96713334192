package ledger

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/cost"
	"github.com/virga-cloud/virga/internal/control/store"
)

// node is a node's store, clock and credits, over which ledgers come and go.
type node struct {
	t       *testing.T
	dir     string
	store   *store.Store
	up      time.Duration
	step    time.Duration
	boot    int
	charged map[string]float64
	*Ledger
}

var begin = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func newNode(t *testing.T) *node {
	n := &node{t: t, dir: t.TempDir(), store: store.Memory(), up: time.Hour, boot: 1, charged: map[string]float64{}}
	t.Cleanup(func() { _ = n.store.Close() })
	n.restart()
	return n
}

func (n *node) now() cost.Moment {
	return cost.Moment{Boot: strconv.Itoa(n.boot), Up: n.up, Wall: begin.Add(n.up + n.step)}
}

// restart drops the ledger as a kill would, and opens another.
func (n *node) restart() {
	l, err := Open(Config{
		Dir: n.dir, Node: "n", Store: n.store, Log: slog.New(slog.DiscardHandler), Now: n.now,
		Machine: cost.Machine{Physical: api.Amount{VCPUs: 2, Memory: 4 << 30}, Reserved: api.Amount{VCPUs: .5},
			Rates: api.Rates{Currency: "EUR", VCPUHour: 1, GiBHour: .5, CreditFee: .05, VolumeGiBMonth: hoursPerMonth}},
		Promised: func(in *api.Instance) (float64, int64) { return in.Type.VCPUs, in.Type.Memory },
		Price:    func(in *api.Instance) float64 { return in.Type.PricePerHour },
		Stored:   func(string) (int64, error) { return 0, nil },
		Charged:  func(id string) (float64, bool) { c, ok := n.charged[id]; return c, ok },
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.Ledger = l
}

// run stores an instance that runs.
func (n *node) run(name string, t api.InstanceType) string {
	in := &api.Instance{
		Meta: api.Meta{ID: name + "-id", Name: name, Project: "p"}, Node: "n", Type: &t,
		Status: api.InstanceStatus{Phase: api.PhaseRunning, Life: 1, Starts: 1, Started: n.now().Wall},
	}
	if err := n.store.Instances.Create(context.Background(), in); err != nil {
		n.t.Fatal(err)
	}
	n.changed(in.ID)
	return in.ID
}

// end does what the node's agent does.
func (n *node) end(id string) {
	in, err := n.store.Instances.View(id)
	if err != nil {
		n.t.Fatal(err)
	}
	n.Ended(in, in.Status.Starts, n.now().Wall, true)
	n.stored(id)
}

func (n *node) stored(id string) {
	if _, err := n.store.Instances.Update(context.Background(), id, func(in *api.Instance) error {
		in.Status.Phase, in.Status.Finished = api.PhaseStopped, n.now().Wall
		return nil
	}); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) cost(by string) api.CostReport {
	n.t.Helper()
	r, err := n.Cost(context.Background(), by, "", begin.Add(-1000*time.Hour), n.now().Wall.Add(1000*time.Hour))
	if err != nil {
		n.t.Fatal(err)
	}
	if math.Abs(r.Workload+r.Idle+r.Overhead-r.Machine) > 1e-4*r.Machine {
		n.t.Errorf("%v + %v + %v is not %v", r.Workload, r.Idle, r.Overhead, r.Machine)
	}
	return r
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Max(1, math.Abs(b)) }

var small = api.InstanceType{Name: "small", Family: api.FamilyShared, VCPUs: .5, Memory: 1 << 30, PricePerHour: 3.6}

func TestKillsLoseNothing(t *testing.T) {
	n := newNode(t)
	a := n.run("a", small)
	n.up += 10 * time.Minute
	n.restart() // before anything of a was written
	n.up += 10 * time.Minute
	n.mark()
	n.restart()
	n.up += 10 * time.Minute
	in, _ := n.store.Instances.View(a)
	n.Ended(in, 1, n.now().Wall, true)
	n.restart() // before the store knows
	n.up += 10 * time.Minute
	n.Ended(in, 1, n.now().Wall.Add(-10*time.Minute), true)
	n.stored(a)
	n.restart()
	if r := n.cost("instance"); len(r.Lines) != 1 || !near(r.Total, 1.8) || !near(r.Lines[0].Seconds, 1800) || r.Currency != "EUR" {
		t.Errorf("%+v", r)
	}
	if spent, perHour := n.Spent(a); !near(spent, 1.8) || perHour != 0 {
		t.Errorf("spent %v, %v an hour", spent, perHour)
	}
	if r := n.cost("project"); !near(r.Machine, 40.0/60*(2+2)) || !near(r.Workload, .5*(.5+.5)) {
		t.Errorf("the machine: %+v", r)
	}
}

func TestResizeLabelsAndClock(t *testing.T) {
	n := newNode(t)
	a := n.run("a", small)
	n.up += time.Hour
	if _, err := n.store.Instances.Update(context.Background(), a, func(in *api.Instance) error {
		big := small
		big.PricePerHour = 7.2
		in.Type = &big
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	n.changed(a)
	n.up += time.Hour
	n.step = -time.Hour
	n.mark()
	n.up += time.Hour
	n.step = 0
	n.end(a)
	if r := n.cost("type"); !near(r.Total, 3.6+7.2+7.2) || !near(r.Machine, 3*4) {
		t.Errorf("%+v", r)
	}
}

func TestRemovalChargesAndForgets(t *testing.T) {
	n := newNode(t)
	burst := small
	burst.Family = api.FamilyBurst
	a := n.run("a", burst)
	n.up += time.Hour
	n.charged[a] = 60
	n.mark() // another hour: it is charged
	n.charged[a] = 90
	if r := n.cost("instance"); !near(r.Total, 3.6+1.5*.05) { // what is due counts, and is not written
		t.Errorf("while it runs: %+v", r)
	}
	n.end(a)
	in, _ := n.store.Instances.View(a)
	n.Removing(in)
	n.Removing(in) // tried again
	if err := n.store.Instances.Delete(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	n.changed(a)
	n.restart()
	if r := n.cost("instance"); !near(r.Total, 3.6+1.5*.05) || !near(r.Lines[0].Surplus, 1.5*.05) || r.Lines[0].Key != "a" {
		t.Errorf("afterwards: %+v", r)
	}
	if spent, _ := n.Spent(a); spent != 0 {
		t.Errorf("it is still remembered: %v", spent)
	}
}

func TestVolumesArePricedByWhatTheyMayHold(t *testing.T) {
	n := newNode(t)
	v := &api.Volume{Meta: api.Meta{ID: "v", Name: "data", Project: "p"}, Node: "n", Size: 2 << 30}
	if err := n.store.Volumes.Create(context.Background(), v); err != nil {
		t.Fatal(err)
	}
	n.restart()
	n.up += time.Hour
	n.restart()
	n.up += time.Hour
	if err := n.store.Volumes.Delete(context.Background(), "v"); err != nil {
		t.Fatal(err)
	}
	n.restart()
	n.up += time.Hour
	if r := n.cost("project"); !near(r.Total, 4) || !near(r.Lines[0].Storage, 4) {
		t.Errorf("%+v", r)
	}
}

// A volume without a size is charged for what it was last seen to store, after
// a restart too.
func TestVolumesWithoutASizeAreMeasured(t *testing.T) {
	n := newNode(t)
	ctx := context.Background()
	v := &api.Volume{Meta: api.Meta{ID: "v", Name: "data", Project: "p"}, Node: "n"}
	if err := n.store.Volumes.Create(ctx, v); err != nil {
		t.Fatal(err)
	}
	n.Ledger.Config.Stored = func(string) (int64, error) { return 1 << 30, nil }
	n.measureAll(ctx)
	n.up += time.Hour
	n.Ledger.Config.Stored = func(string) (int64, error) { return 3 << 30, nil }
	n.measureAll(ctx)
	n.up += time.Hour
	n.restart() // and nothing is measured yet
	n.up += time.Hour
	if r := n.cost("project"); !near(r.Total, 1+3+3) || !near(r.Lines[0].StoredGiBHours, 7) {
		t.Errorf("%+v", r)
	}
}

func TestDaysRotateAndFold(t *testing.T) {
	n := newNode(t)
	total := 0.0
	for i := range 30 {
		a := n.run("a"+strconv.Itoa(i), small)
		n.up += 30 * time.Minute
		n.end(a)
		total += 1.8
		n.up += 24 * time.Hour
		n.mark()
		if i%7 == 0 {
			n.restart()
		}
	}
	names, err := filepath.Glob(filepath.Join(n.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	folded := 0
	for _, name := range names {
		if strings.HasSuffix(name, foldedSuffix) {
			folded++
		}
	}
	if folded < 20 || len(names)-folded > 10 {
		t.Errorf("%d folded files of %d", folded, len(names))
	}
	if r := n.cost("instance"); !near(r.Total, total) || len(r.Lines) != 30 {
		t.Errorf("%v in %d lines, want %v", r.Total, len(r.Lines), total)
	}
	n.up += 2 * keepFolded
	n.mark()
	n.up += 24 * time.Hour
	n.mark()
	if left, _ := filepath.Glob(filepath.Join(n.dir, "*"+foldedSuffix)); len(left) > 2 {
		t.Errorf("old files are kept: %q", left)
	}
}

// A crash may leave a file beside the one it was folded to, and half a line.
func TestCrashesOfTheMachine(t *testing.T) {
	n := newNode(t)
	a := n.run("a", small)
	n.up += time.Hour
	n.end(a)
	files, err := n.files.list()
	if err != nil || len(files) != 1 {
		t.Fatal(err, files)
	}
	exact := files[0].path
	f, err := os.OpenFile(exact, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"run":{"instance":"x","price":`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	n.restart()
	b := n.run("b", small)
	n.up += time.Hour
	n.end(b)
	if r := n.cost("instance"); !near(r.Total, 7.2) {
		t.Errorf("after a torn line: %+v", r)
	}
	n.up += 24 * time.Hour
	n.mark()
	whole, err := os.ReadFile(exact)
	if err != nil {
		t.Fatal(err)
	}
	n.up += 10 * 24 * time.Hour
	n.restart()
	if _, err := os.Stat(exact); !os.IsNotExist(err) {
		t.Fatalf("not folded: %v", err)
	}
	if err := os.WriteFile(exact, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := n.cost("instance"); !near(r.Total, 7.2) {
		t.Errorf("twice there, twice counted: %+v", r)
	}
	n.restart()
	if _, err := os.Stat(exact); !os.IsNotExist(err) {
		t.Errorf("the folded file's original is kept: %v", err)
	}
	n.boot, n.up = 2, 50*24*time.Hour
	n.restart()
	if r := n.cost("instance"); !near(r.Total, 7.2) {
		t.Errorf("after a reboot: %+v", r)
	}
}

func TestAFullDiskKeepsLines(t *testing.T) {
	n := newNode(t)
	good := n.files.f
	broken, err := os.Open(os.DevNull) // that cannot be written
	if err != nil {
		t.Fatal(err)
	}
	n.files.f = broken
	n.end(n.run("a", small))
	_ = broken.Close()
	n.files.f = good
	n.end(n.run("b", small))
	if r := n.cost("instance"); len(r.Lines) != 2 || !near(r.Total, 2*3.6/60) {
		t.Errorf("%+v", r)
	}
}

func TestExport(t *testing.T) {
	n := newNode(t)
	n.end(n.run("a", small))
	var b bytes.Buffer
	if err := n.Export(context.Background(), &b, cost.FormatCSV, "p", begin, n.now().Wall.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(b.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[1], ",a,small,on-demand,Instance time,") {
		t.Errorf("%q", lines)
	}
}

// What the end of a life waits for: a line in the page cache.
func BenchmarkEnded(b *testing.B) {
	n := &node{dir: b.TempDir(), store: store.Memory(), up: time.Hour, boot: 1, charged: map[string]float64{}}
	b.Cleanup(func() { _ = n.store.Close() })
	n.restart()
	in := &api.Instance{
		Meta: api.Meta{ID: "id", Name: "a", Project: "p"}, Node: "n", Type: &small,
		Status: api.InstanceStatus{Phase: api.PhaseRunning, Life: 1, Started: n.now().Wall},
	}
	for i := 0; b.Loop(); i++ {
		n.Ended(in, i+1, n.now().Wall, true)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"run":{"instance":"a","start":"2026-03-01T00:00:00Z","end":"2026-03-01T00:01:00Z","price":1}}` + "\n{\"seenNs\":5}\n"))
	f.Add([]byte(`{"period":{"id":1,"start":"2026-03-01T00:00:00Z"}}` + "\n" + `{"open":{"instance":"a"}}` + "\n" + `{"known":{"instance":"a"}}` + "\n{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := cost.NewMeter()
		var lines []cost.Line
		if err := readLines(bytes.NewReader(b), func(l cost.Line) {
			m.Load(l)
			lines = append(lines, l)
		}); err != nil {
			t.Fatal(err)
		}
		cost.Fold(lines)
		m.Begin(cost.Machine{}, nil, cost.Moment{Boot: "b", Up: time.Hour, Wall: begin})
		m.Mark(cost.Moment{Boot: "b", Up: 2 * time.Hour, Wall: begin.Add(time.Hour)})
		for _, l := range m.Snapshot() {
			if !l.Valid() {
				t.Fatalf("a line that would not be read: %+v", l)
			}
		}
	})
}
