package daemon

import (
	"time"

	"github.com/virga-cloud/virga/internal/control/controller"
	"github.com/virga-cloud/virga/internal/linux/host"
)

// controllers are all that this control plane has. A new one is one line here.
func (d *Daemon) controllers() []controller.Controller {
	log := d.log
	boot, err := host.BootID()
	if err != nil {
		log.Warn("the notices of spot instances follow the clock of the node", "cause", err)
	}
	groups := &controller.Groups{
		Store: d.store, Writes: controller.StoreWrites{Admission: d.admission}, Record: d.events.Append, Now: time.Now, Log: log,
		Lost: d.admission.Lost,
	}
	load := &loads{services: d.store.Services.Views, traffic: d.services.Traffic, now: time.Now}
	scaler := &controller.Autoscaler{
		Store: d.store, Record: d.events.Append, Now: time.Now, Log: log,
		Meter: &controller.Meter{Store: d.store, Stats: d.node.Stats, Node: d.admission.Supply.Capacity.Physical, Now: time.Now, Log: log, Load: load.of},
	}
	market := &controller.Spot{
		Store: d.store, Admission: d.admission, Notice: d.config.SpotNotice, Every: d.config.SpotPrice,
		Record: d.events.Append, Now: time.Now, Log: log,
		Uptime: func() (string, time.Duration) { return boot, host.Uptime() },
	}
	return []controller.Controller{
		groups.Controller(),
		scaler.Controller(),
		market.Controller(),
		d.activator.Controller(),
	}
}
