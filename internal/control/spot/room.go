package spot

// Room is an amount of what a node has and instances hold, such that whatever
// fits in every part fits the node: an over-committed vCPU counts as what it
// takes of the pool, a dedicated one takes itself away from it.
type Room [4]int64

// The parts of a Room. vCPUs are in millionths, memory is in bytes.
const (
	VCPUs    = iota // sold, divided by the over-commit
	Baseline        // what burst instances must be able to have at once
	Cores           // that are somebody's alone
	Memory
)

// Covers reports whether need fits in r.
func (r Room) Covers(need Room) bool {
	for i := range r {
		if r[i] < need[i] {
			return false
		}
	}
	return true
}

// Plus adds two rooms.
func (r Room) Plus(o Room) Room {
	for i := range r {
		r[i] += o[i]
	}
	return r
}

// Minus takes o from r; what is short is negative.
func (r Room) Minus(o Room) Room {
	for i := range r {
		r[i] -= o[i]
	}
	return r
}

// Utilisation is the share of the vCPUs or of the memory, whichever is more,
// that is held where free is left of total: 0 to 1.
func Utilisation(total, free Room) float64 {
	most := 0.0
	for _, i := range []int{VCPUs, Memory} {
		if total[i] > 0 {
			most = max(most, 1-float64(free[i])/float64(total[i]))
		}
	}
	return min(most, 1)
}
