package compose

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// sharesPerCPU is the weight of a reserved vCPU.
const sharesPerCPU = 1024

func (t *translation) resources(s *types.ServiceConfig, spec *api.InstanceSpec) (err error) {
	r := &spec.Resources
	r.CPUs = decimal(float64(s.CPUS))
	if s.CPUQuota > 0 {
		r.CPUs = float64(s.CPUQuota) / float64(cmp.Or(s.CPUPeriod, 100_000))
	}
	r.CPUShares, r.CPUSet = s.CPUShares, s.CPUSet
	r.Memory, r.MemoryReservation = int64(s.MemLimit), int64(s.MemReservation)
	r.MemorySwap, r.PidsLimit = int64(s.MemSwapLimit), s.PidsLimit
	if r.Disk, err = api.ParseSize("services."+s.Name+".storage_opt.size", s.StorageOpt["size"]); err != nil {
		return err
	}
	r.OOMScoreAdj = int(s.OomScoreAdj)
	if s.BlkioConfig != nil {
		r.BlockIO.Weight = s.BlkioConfig.Weight
	}
	if s.Deploy != nil {
		if l := s.Deploy.Resources.Limits; l != nil {
			r.CPUs = cmp.Or(decimal(float64(l.NanoCPUs)), r.CPUs)
			r.Memory = cmp.Or(int64(l.MemoryBytes), r.Memory)
			r.PidsLimit = cmp.Or(l.Pids, r.PidsLimit)
		}
		if l := s.Deploy.Resources.Reservations; l != nil {
			r.CPUShares = cmp.Or(int64(float64(l.NanoCPUs)*sharesPerCPU), r.CPUShares)
			r.MemoryReservation = cmp.Or(int64(l.MemoryBytes), r.MemoryReservation)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Ulimits)) {
		u := s.Ulimits[k]
		l := api.Ulimit{Name: k, Soft: int64(u.Soft), Hard: int64(u.Hard)}
		if u.Single != 0 {
			l.Soft, l.Hard = int64(u.Single), int64(u.Single)
		}
		r.Ulimits = append(r.Ulimits, l)
	}
	return nil
}

// decimal undoes that 0.1 was read with the precision of 32 bits.
func decimal(v float64) float64 { return math.Round(v*1e4) / 1e4 }
