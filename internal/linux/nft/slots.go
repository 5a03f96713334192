package nft

import (
	"hash/fnv"
	"net/netip"
)

// Slots is how many places a balanced port has in the kernel's map: the
// granularity of weights, and the most backends that can have a share.
const Slots = 128

// Target is one backend of a balanced port.
type Target struct {
	To     netip.AddrPort
	Weight int // from 1
}

// assign gives every slot a target, by index: as many to each as its weight
// asks for, and, when targets come and go, most slots to whom had them before.
// Targets take turns, the one furthest behind its weight first, and in its turn
// each takes the free slot that it likes best, in an order of its own
// (Eisenbud et al., Maglev). Without targets it returns nil.
func assign(targets []Target) []int {
	total := 0
	for _, t := range targets {
		total += max(t.Weight, 1)
	}
	if total == 0 {
		return nil
	}
	slots := make([]int, Slots)
	for i := range slots {
		slots[i] = -1
	}
	wants := make([]walk, len(targets))
	credit := make([]int, len(targets))
	for i, t := range targets {
		wants[i] = newWalk(t.To)
	}
	for range Slots {
		best := 0
		for i, t := range targets {
			credit[i] += max(t.Weight, 1)
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		slots[wants[best].next(slots)] = best
	}
	return slots
}

// walk goes through all slots in an order of one target's own: the number of
// slots is a power of two, so an odd step visits each.
type walk struct{ at, step int }

func newWalk(a netip.AddrPort) walk {
	h := fnv.New64a()
	b, _ := a.MarshalBinary() // never fails
	h.Write(b)
	sum := h.Sum64()
	sum ^= sum >> 29
	sum *= 0xbf58476d1ce4e5b9
	sum ^= sum >> 32
	return walk{at: int(sum % Slots), step: int(sum>>16%Slots) | 1}
}

// next is the walk's next slot that nobody has.
func (w *walk) next(slots []int) int {
	for slots[w.at] >= 0 {
		w.at = (w.at + w.step) % Slots
	}
	return w.at
}
