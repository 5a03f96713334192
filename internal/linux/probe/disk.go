package probe

import (
	"github.com/virga-cloud/virga/internal/linux/disk"
)

func projectQuota(p *probe) (string, error) { return "", disk.TryQuota(p.dir) }

func diskImages(*probe) (string, error) { return disk.TryLoop() }

func liveGrowth(*probe) (string, error) { return "", disk.TryGrowth() }

func reflink(p *probe) (string, error) { return "", disk.TryReflink(p.dir) }
