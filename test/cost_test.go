package test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// cost is a report of what was there since a moment.
func (d *Daemon) cost(t *testing.T, since time.Time, by string) (r api.CostReport) {
	t.Helper()
	text := d.Must(t, "cost", "--json", "--by", by, "--from", since.Format(time.RFC3339Nano))
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if off := math.Abs(r.Workload+r.Idle+r.Overhead-r.Machine) / r.Machine; !(off <= 1e-4) || r.Idle < 0 || r.Workload < 0 {
		t.Errorf("workload %v, idle %v and overhead %v are not the machine's %v", r.Workload, r.Idle, r.Overhead, r.Machine)
	}
	return r
}

func line(r api.CostReport, key string) api.CostLine {
	for _, l := range r.Lines {
		if l.Key == key {
			return l
		}
	}
	return api.CostLine{}
}

// within fails when a and b differ by more than slack.
func within(t *testing.T, what string, a, b, slack float64) {
	t.Helper()
	if !(math.Abs(a-b) <= slack) {
		t.Errorf("%s: %v, want %v ± %v", what, a, b, slack)
	}
}

// Several instances run, one is killed, one ends, the daemon is killed and one
// ends meanwhile: what it costs is what their types cost for the seconds they
// ran, at least a minute each.
func TestCostIsTimeTimesPrice(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	since := time.Now()
	d.Must(t, "run", "-d", "--name", "cost-long", "--type", "shared.nano", "--label", "team=a", image, "sleep", "1000")
	d.Must(t, "run", "-d", "--name", "cost-killed", "--type", "burst.nano", "--label", "team=a", image, "sleep", "1000")
	d.Must(t, "run", "-d", "--name", "cost-custom", "--cpus", "0.5", "--memory", "64m", "--label", "team=b", image, "sleep", "1000")
	d.Must(t, "run", "--rm", "--name", "cost-once", "--type", "shared.micro", image, "true")
	ending := d.Inspect(t, strings.TrimSpace(d.Must(t, "run", "-d", "--name", "cost-ending", "--type", "shared.micro", image, "sh", "-c", "sleep 1")))
	d.Must(t, "kill", "cost-killed")
	d.Kill9(t)
	// It ends while there is no daemon: its process is gone.
	eventually(t, "the end of cost-ending", func() (bool, string) {
		_, err := os.Stat("/proc/" + strconv.Itoa(ending.Status.PID))
		return os.IsNotExist(err), "it runs"
	})
	d.Restart(t)
	d.Must(t, "wait", "cost-ending")
	d.Kill9(t)
	d.Restart(t)

	price := func(name string) float64 {
		var types []api.InstanceType
		if err := json.Unmarshal([]byte(d.Must(t, "type", "inspect", name)), &types); err != nil || len(types) != 1 {
			t.Fatalf("type %s: %v", name, err)
		}
		return types[0].PricePerHour
	}
	ran := func(name string) float64 {
		s := d.Inspect(t, name).Status
		return s.Finished.Sub(s.Started).Seconds()
	}
	r := d.cost(t, since, "instance")
	for _, tt := range []struct{ name, kind string }{
		{"cost-killed", "burst.nano"}, {"cost-once", "shared.micro"}, {"cost-ending", "shared.micro"},
	} {
		l := line(r, tt.name)
		within(t, "seconds of "+tt.name, l.Seconds, 60, 1e-6) // all of them ended within the minimum
		within(t, "cost of "+tt.name, l.Cost, price(tt.kind)/60, 1e-9)
	}
	if s := ran("cost-ending"); s < .9 || s > 50 {
		t.Errorf("cost-ending ran for %v seconds", s)
	}
	long, in := line(r, "cost-long"), d.Inspect(t, "cost-long")
	within(t, "seconds of cost-long", long.Seconds, r.To.Sub(in.Status.Started).Seconds(), .05)
	within(t, "cost of cost-long", long.Cost, long.Seconds/3600*price("shared.nano"), 1e-9)
	within(t, "price of cost-custom", d.Inspect(t, "cost-custom").Type.PricePerHour, .5*r.Rates.VCPUHour+r.Rates.GiBHour/16, 1e-4)
	within(t, "vCPU-hours of cost-killed", line(r, "cost-killed").VCPUHours, 2*.05/60, 1e-6) // its baseline

	if in.Cost == nil || in.Cost.PerHour != price("shared.nano") || in.Cost.Spent < long.Cost || in.Cost.Currency != r.Currency {
		t.Errorf("inspect says %+v", in.Cost)
	}
	team := d.cost(t, since, "label:team")
	if a := line(team, "a"); a.Instances != 2 || a.Cost < long.Cost+price("burst.nano")/60 {
		t.Errorf("team a: %+v", a)
	}
	if by := line(d.cost(t, since, "type"), "shared.micro"); by.Instances != 2 {
		t.Errorf("shared.micro: %+v", by)
	}
	text := d.Must(t, "cost", "--last", "1h")
	if !strings.Contains(text, "100.00 %") || !strings.Contains(text, "kept for the system") {
		t.Error(text)
	}

	// What was idle and what is kept are rows of the export; the rest is the bill.
	rows, err := csv.NewReader(strings.NewReader(d.Must(t, "cost", "export", "--format", "focus", "--from", since.Format(time.RFC3339Nano)))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	billed := map[string]float64{}
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[column["BilledCost"]], 64)
		if err != nil {
			t.Fatal(err)
		}
		billed[row[column["ResourceName"]]] += v
	}
	within(t, "billed for cost-ending", billed["cost-ending"], price("shared.micro")/60, 1e-9)

	d.Must(t, "rm", "-f", "cost-long")
	gone := line(d.cost(t, since, "instance"), "cost-long")
	if gone.Cost < long.Cost || gone.Seconds < 60 && gone.Cost < price("shared.nano")/60-1e-9 {
		t.Errorf("removed, it costs %+v after %+v", gone, long)
	}
	for _, bad := range [][]string{
		{"cost", "--by", "colour"}, {"cost", "--last", "-1h"}, {"cost", "--from", "yesterday"}, {"cost", "--from", "1h", "--to", "2h"},
		{"cost", "export", "--format", "xml"},
	} {
		d.Refused(t, bad...)
	}
}

// A busy burst instance spends its credits; its balance, its metrics and its
// cost agree with the arithmetic.
func TestBusyBurstInstanceSpendsAndCosts(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	since := time.Now()
	d.Must(t, "run", "-d", "--name", "cost-busy", "--type", "burst.nano", image, "sh", "-c", "while :; do :; done")
	first := d.credits(t, "cost-busy")
	if first.LastsForSecond == 0 {
		eventually(t, "how long it lasts", func() (bool, string) {
			first = d.credits(t, "cost-busy")
			return first.LastsForSecond > 0, ""
		})
	}
	// A daemon that is killed meanwhile loses less than a credit: what is spent
	// and earned without it is made up for.
	d.Kill9(t)
	d.Restart(t)
	var c api.CPUCredits
	eventually(t, "a falling balance", func() (bool, string) {
		c = d.credits(t, "cost-busy", "--series", "1s")
		return c.Balance < first.Balance-.05 && len(c.Series) > 3, strconv.FormatFloat(c.Balance, 'f', -1, 64)
	})
	// What it had, has earned and has spent since launch.
	in := d.Inspect(t, "cost-busy")
	earned := time.Since(in.Status.Started).Seconds() / 3600 * c.EarnPerHour
	within(t, "balance", c.Balance, 60-c.Usage+earned, .02)
	used := 0.0
	for i, s := range c.Series {
		used += s.Usage
		if i > 0 && s.Balance >= c.Series[i-1].Balance+1e-3 {
			t.Errorf("the balance rises while it is busy: %+v", c.Series)
		}
	}
	if used <= 0 || used > c.Usage {
		t.Errorf("the seconds spent %v of %v", used, c.Usage)
	}
	metric := d.scrape(t)
	id := in.ID
	for name, want := range map[string]float64{
		"virga_instance_cpu_credit_balance": c.Balance, "virga_instance_cpu_credit_usage_total": c.Usage,
		"virga_instance_cpu_credit_cap": 144,
	} {
		within(t, name, metric(name, id), want, .3)
	}
	if s := metric("virga_instance_cpu_usage_seconds_total", id); math.Abs(s/60-c.Usage) > .3 {
		t.Errorf("%v seconds used, %v credits spent", s, c.Usage)
	}
	r := d.cost(t, since, "instance")
	l := line(r, "cost-busy")
	price := in.Type.PricePerHour
	within(t, "cost", l.Cost, r.To.Sub(in.Status.Started).Seconds()/3600*price, price/3600)
	within(t, "virga_instance_cost_total", metric("virga_instance_cost_total", id), l.Cost, price/360)
	within(t, "virga_instance_price_per_hour", metric("virga_instance_price_per_hour", id), price, 1e-9)
	text := d.Must(t, "credits", "cost-busy")
	for _, want := range []string{"Balance:", "Earns:", "6 an hour", "Lasts for:"} {
		if !strings.Contains(text, want) {
			t.Errorf("virga credits lacks %q:\n%s", want, text)
		}
	}
}

// scrape reads /metrics and returns a lookup by name and id of the instance.
func (d *Daemon) scrape(t *testing.T) func(name, id string) float64 {
	t.Helper()
	text := d.metrics(t)
	return func(name, id string) float64 {
		for l := range strings.Lines(text) {
			if strings.HasPrefix(l, name+"{") && strings.Contains(l, `id="`+id+`"`) {
				v, err := strconv.ParseFloat(strings.TrimSpace(l[strings.LastIndex(l, " "):]), 64)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
		}
		t.Errorf("no metric %s of %s", name, id)
		return math.NaN()
	}
}

// An operator's prices are read at start; bad ones end the daemon with the line
// and the reason.
func TestBadPricesAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "types.yaml")
	for _, tt := range []struct{ text, want string }{
		{"rates:\n  currency: EUR\n  vcpuHour: -0.02\n", "types.yaml:3: vcpuHour -0.02: must be a number from 0"},
		{"rates:\n  gibHour: .nan\n", "types.yaml:2: gibHour NaN"},
		{"rates:\n  machineHour: 1e300\n", "types.yaml:2: machineHour 1e+300"},
		{"rates:\n  currency: euro\n", "types.yaml:2: currency \"euro\""},
		{"- {name: a, family: shared, vcpus: 1, memory: 1g}\n- {name: b, family: shared, vcpus: 1, memory: 1g, pricePerHour: -1}\n", "types.yaml:2: type b: pricePerHour -1"},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(binary(), "server", "--data-dir", filepath.Join(dir, "data"), "--socket", filepath.Join(dir, "s"), "--types-file", file).CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%q: %v\n%s", tt.text, err, out)
		}
	}
}
