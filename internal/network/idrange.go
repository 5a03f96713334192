package network

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// idBase is the first host id of the first range; rangeCount ranges of
// namespace.IDs ids follow it, up to the end of the 32-bit space.
const (
	idBase     = 0x10000000
	rangeCount = (0xffff0000 - idBase) / namespace.IDs
)

// idRanges gives out ranges of host ids, one to a user namespace. Ranges that
// processes use already, of an earlier daemon or another one, are left out.
type idRanges struct {
	mu   sync.Mutex
	next uint32         // +checklocks:mu; index of the range to look at next
	used map[uint32]int // +checklocks:mu; by how many instances that are known
}

// newIDRanges begins at a random range, so that two daemons on one machine are
// unlikely to meet, and reads which ranges are alive.
func newIDRanges() (*idRanges, error) {
	r := &idRanges{next: rand.Uint32N(rangeCount), used: map[uint32]int{}}
	maps, err := filepath.Glob("/proc/[0-9]*/uid_map")
	if err != nil {
		return nil, err
	}
	for _, m := range maps {
		if base, ok := firstHostID(m); ok && base >= idBase {
			r.used[(base-idBase)/namespace.IDs] = 0
		}
	}
	return r, nil
}

// firstHostID reads the first line of a map; processes come and go meanwhile.
func firstHostID(path string) (uint32, bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	var inside, outside, count uint32
	n, _ := fmt.Fscan(bufio.NewReader(f), &inside, &outside, &count)
	return outside, n == 3
}

// take returns the first id of a free range.
func (r *idRanges) take() (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range uint32(rangeCount) {
		i := r.next
		r.next = (r.next + 1) % rangeCount
		if _, ok := r.used[i]; !ok {
			r.used[i] = 1
			return idBase + i*namespace.IDs, nil
		}
	}
	return 0, api.Errorf(api.CodeInsufficientCapacity, "all %d ranges of user ids are in use", rangeCount)
}

// share has a range that is in use used by one instance more.
func (r *idRanges) share(base uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used[(base-idBase)/namespace.IDs]++
}

// free gives back what take or share gave; 0 is none.
func (r *idRanges) free(base uint32) {
	if base < idBase {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := (base - idBase) / namespace.IDs
	if r.used[i]--; r.used[i] <= 0 {
		delete(r.used, i)
	}
}
