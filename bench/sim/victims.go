package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/virga-cloud/virga/internal/control/spot"
)

// Victims is how long the choice takes of who must leave among that many spot
// instances of mixed sizes and prices, drawn from seed, for work that needs
// the room of several.
func Victims(n int, seed uint64) time.Duration {
	r := rand.New(rand.NewPCG(seed, 2))
	all := make([]spot.Candidate, n)
	for i := range all {
		c := &all[i]
		c.ID, c.Price, c.Started = fmt.Sprintf("%05d", i), float64(1+r.IntN(90))/1000, time.Unix(int64(r.IntN(1e6)), 0)
		c.Room = spot.Room{spot.VCPUs: int64(1+r.IntN(8)) * 5e5, spot.Memory: int64(1+r.IntN(16)) << 29}
		c.Room[spot.Baseline] = c.Room[spot.VCPUs] / 5
	}
	need := spot.Room{spot.VCPUs: int64(4+r.IntN(60)) * 1e6, spot.Memory: int64(8+r.IntN(120)) << 30}
	began := time.Now()
	spot.Victims(all, need)
	return time.Since(began)
}
