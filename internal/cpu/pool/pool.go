package pool

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Core is one physical core: the hardware threads that share it.
type Core struct {
	Threads CPUSet
	NUMA    int
}

// Pool is a node's cores and who owns which. It is not safe for concurrent use.
type Pool struct {
	cores   []Core // by first thread
	reserve int    // threads that always stay shared
	owned   map[string]CPUSet
}

// New makes a pool of the cores that are online. At least reserve threads,
// and never fewer than one core, stay in the shared pool for the system.
func New(cores []Core, reserve int) *Pool {
	c := slices.Clone(cores)
	slices.SortFunc(c, func(a, b Core) int { return cmp.Compare(a.Threads[0], b.Threads[0]) })
	return &Pool{cores: c, reserve: max(reserve, 1), owned: map[string]CPUSet{}}
}

// ShortError says that the cores asked for are not to be had.
type ShortError struct {
	Want, Free int // threads
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("%d dedicated CPUs asked for, %d free", e.Want, e.Free)
}

// Allocate gives owner n hardware threads on whole cores, which are its own
// from now on: of one NUMA node where one has room, else from as few as
// possible. n is rounded up to whole cores. An owner that has enough keeps
// what it has, less the cores it does not need any more.
func (p *Pool) Allocate(owner string, n int) (CPUSet, error) {
	held := p.owned[owner]
	if len(held) >= n && n > 0 {
		p.owned[owner] = p.trim(held, n)
		return p.owned[owner], nil
	}
	delete(p.owned, owner)
	set := p.choose(n)
	if set == nil {
		if held != nil {
			p.owned[owner] = held
		}
		return nil, &ShortError{Want: n, Free: p.Free()}
	}
	p.owned[owner] = set
	return set, nil
}

// trim is as many whole cores of a set as n threads need.
func (p *Pool) trim(held CPUSet, n int) CPUSet {
	var set CPUSet
	for i := len(p.cores) - 1; i >= 0 && len(set) < n; i-- {
		if c := p.cores[i]; held.Contains(c.Threads[0]) {
			set = append(set, c.Threads...)
		}
	}
	if len(set) < n {
		return held
	}
	return set.normal()
}

// choose picks free cores for n threads, or nil.
func (p *Pool) choose(n int) CPUSet {
	free := p.freeCores()
	byNode := map[int][]Core{}
	spare := -p.reserve
	for _, c := range free {
		byNode[c.NUMA] = append(byNode[c.NUMA], c)
		spare += len(c.Threads)
	}
	// The fullest node that still has room first keeps large gaps whole; with
	// none, the emptiest ones first use as few nodes as possible.
	order := slices.SortedFunc(maps.Keys(byNode), func(a, b int) int {
		ta, tb := threads(byNode[a]), threads(byNode[b])
		if fa, fb := ta >= n, tb >= n; fa != fb {
			if fa {
				return -1
			}
			return 1
		} else if fa {
			return cmp.Or(cmp.Compare(ta, tb), cmp.Compare(a, b))
		}
		return cmp.Or(cmp.Compare(tb, ta), cmp.Compare(a, b))
	})
	var set CPUSet
	for _, node := range order {
		cores := byNode[node]
		// From the end: the system's interrupts and daemons favour the first.
		for i := len(cores) - 1; i >= 0 && len(set) < n; i-- {
			set = append(set, cores[i].Threads...)
		}
	}
	if len(set) < n || len(set) > spare {
		return nil
	}
	return set.normal()
}

func threads(cores []Core) int {
	n := 0
	for _, c := range cores {
		n += len(c.Threads)
	}
	return n
}

// Adopt records what an owner has already, after a restart.
func (p *Pool) Adopt(owner string, set CPUSet) { p.owned[owner] = set }

// Fits reports whether owner may have the set: whole cores that are there and
// that nobody else has, with the reserve left.
func (p *Pool) Fits(owner string, set CPUSet) bool {
	was, had := p.owned[owner]
	delete(p.owned, owner)
	defer func() {
		if had {
			p.owned[owner] = was
		}
	}()
	free := p.Shared()
	if len(set) == 0 || len(set.Without(free)) > 0 || len(free)-len(set) < p.reserve {
		return false
	}
	for _, c := range p.cores {
		if n := len(c.Threads) - len(c.Threads.Without(set)); n > 0 && n < len(c.Threads) {
			return false
		}
	}
	return true
}

// Release gives an owner's cores back to the shared pool.
func (p *Pool) Release(owner string) { delete(p.owned, owner) }

// Owners lists who owns cores, sorted.
func (p *Pool) Owners() []string { return slices.Sorted(maps.Keys(p.owned)) }

// Owned is what owner has, or nil.
func (p *Pool) Owned(owner string) CPUSet { return p.owned[owner] }

// Shared is where everything without cores of its own runs. It is never empty.
func (p *Pool) Shared() CPUSet {
	var set CPUSet
	for _, c := range p.freeCores() {
		set = append(set, c.Threads...)
	}
	return set.normal()
}

// Threads is how many there are, and the most that one core has.
func (p *Pool) Threads() (all, perCore int) {
	for _, c := range p.cores {
		perCore = max(perCore, len(c.Threads))
	}
	return threads(p.cores), perCore
}

// Free is how many threads can still be given out.
func (p *Pool) Free() int { return max(threads(p.freeCores())-p.reserve, 0) }

// Lost takes cores away that went offline and returns the owners that lost
// some: theirs shrink, and it is for the caller to place them anew.
func (p *Pool) Lost(online CPUSet) []string {
	var hit []string
	p.cores = slices.DeleteFunc(p.cores, func(c Core) bool { return len(c.Threads.Without(online)) == len(c.Threads) })
	for owner, set := range p.owned {
		if kept := set.Without(set.Without(online)); len(kept) < len(set) {
			p.owned[owner] = kept
			hit = append(hit, owner)
		}
	}
	slices.Sort(hit)
	return hit
}

func (p *Pool) freeCores() []Core {
	taken := map[int]bool{}
	for _, set := range p.owned {
		for _, c := range set {
			taken[c] = true
		}
	}
	var free []Core
	for _, c := range p.cores {
		if !slices.ContainsFunc(c.Threads, func(t int) bool { return taken[t] }) {
			free = append(free, c)
		}
	}
	return free
}
