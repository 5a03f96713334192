package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// benchmark measures one subject.
type benchmark struct {
	name, about string
	run         func(context.Context, *env) error
	parts       []part // what it is made of when run is nil
}

// part is a piece of a benchmark that may be measured by itself.
type part struct {
	name string
	run  func(*env, context.Context) error
}

var benchmarks = []benchmark{
	{"start", "one instance at a time: whole cycle, to main(), and as a command", benchStart, nil},
	{"phases", "where the time of one instance goes", benchPhases, nil},
	{"rate", "eight instances in parallel", benchRate, nil},
	{"memory", "200 running instances: memory of virga for each, and idle CPU", benchMemory, nil},
	{"cpu", "what instances get of the CPUs: baseline, stalls, quota, shares, dedicated cores", nil, cpuParts},
	{"import", "import and unpack an image of 300 MiB", benchImport, nil},
	{"network", "throughput, services and changes of a network, beside bridges made by hand and Docker's", nil, networkParts},
	{"scaling", "groups: crash, load step, from zero, warm pool, noise; a Compose file; spot, metadata", nil, scalingParts},
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "probe" {
		if err := probe(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	only := flag.String("only", "", "names of benchmarks or of their parts, separated by commas; all by default")
	peers := flag.String("peers", "", "peers to measure beside, of floor,crun,runc,podman,ctr,docker; all by default")
	runs := flag.Int("n", 50, "runs of each one-at-a-time figure")
	binary := flag.String("virga", "bin/virga", "the command to measure")
	out := flag.String("out", "bench/out", "directory of the results")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: bench [flags]")
		flag.PrintDefaults()
		for _, b := range benchmarks {
			fmt.Fprintf(flag.CommandLine.Output(), "  %-8s %s\n", b.name, b.about)
			for _, p := range b.parts {
				fmt.Fprintf(flag.CommandLine.Output(), "    %s.%s\n", b.name, p.name)
			}
		}
	}
	flag.Parse()
	if done, err := runInside(context.Background()); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *peers, *binary, *out, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run runs the chosen benchmarks. A goal that is missed is a figure and not an
// error.
func run(ctx context.Context, only, peers, binary, out string, runs int) error {
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	e, err := newEnv(ctx, binary, out, runs)
	if err != nil {
		return err
	}
	defer e.close()
	e.only = strings.FieldsFunc(peers, func(r rune) bool { return r == ',' })
	e.machine(ctx)
	for _, b := range chosen {
		fmt.Printf("\n%s: %s\n", b.name, b.about)
		if err := b.measure(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

func (b benchmark) measure(ctx context.Context, e *env) error {
	if b.run != nil {
		return b.run(ctx, e)
	}
	for _, p := range b.parts {
		if err := p.run(e, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// choose finds what is named: "scaling" is all of it, "scaling.crash" a part.
func choose(only string) ([]benchmark, error) {
	if only == "" {
		return benchmarks, nil
	}
	var chosen []benchmark
	for name := range strings.SplitSeq(only, ",") {
		subject, piece, _ := strings.Cut(name, ".")
		i := slices.IndexFunc(benchmarks, func(b benchmark) bool { return b.name == subject })
		if i < 0 {
			return nil, fmt.Errorf("there is no benchmark %q", name)
		}
		b := benchmarks[i]
		if piece != "" {
			j := slices.IndexFunc(b.parts, func(p part) bool { return p.name == piece })
			if j < 0 {
				return nil, fmt.Errorf("benchmark %s has no part %q", subject, piece)
			}
			b.parts = b.parts[j : j+1]
		}
		chosen = append(chosen, b)
	}
	return chosen, nil
}
