package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// typeFlags describe a new type.
type typeFlags struct {
	t        api.InstanceType
	family   string
	memory   string
	disk     string
	credits  string
	network  string
	read     string
	write    string
	readOps  string
	writeOps string
}

func typeCreateCommand(a *App) *command.Command {
	var c typeFlags
	cmd := &command.Command{
		Use:   "create [flags] NAME",
		Short: "Add an instance type",
		Example: "  virga type create --family shared --vcpus 0.5 --memory 768m --quota shared.web\n" +
			"  virga type create --family burst --vcpus 2 --baseline 0.15 --memory 1g burst.mini",
		Args: arguments(1, 1),
	}
	f := cmd.Flags()
	f.StringVar(&c.family, "family", "shared", "how the vCPUs are given out: burst, shared, dedicated")
	decimalVar(f, &c.t.VCPUs, "vcpus", 1, "vCPUs; whole ones but for shared")
	f.StringVarP(&c.memory, "memory", "m", "", "memory in `bytes`, such as 512m")
	decimalVar(f, &c.t.Baseline, "baseline", 0, "`share` of each vCPU that a burst type earns, 0.01 to 1")
	f.StringVar(&c.credits, "credits", "", "what a burst type does without credits: standard, unlimited (default standard)")
	f.Int64Var(&c.t.Weight, "weight", 0, "weight of a shared type under contention (default 1024 per vCPU)")
	f.BoolVar(&c.t.Quota, "quota", false, "make the vCPUs of a shared type a hard limit")
	f.StringVar(&c.network, "network-bps", "", "network limit each way in `bits` per second, such as 100m")
	f.StringVar(&c.disk, "disk", "", "size of the writable layer in `bytes`, such as 20g")
	f.StringVar(&c.read, "device-read-bps", "", "limit reading to `bytes` per second")
	f.StringVar(&c.write, "device-write-bps", "", "limit writing to `bytes` per second")
	f.StringVar(&c.readOps, "device-read-iops", "", "limit reading to `operations` per second")
	f.StringVar(&c.writeOps, "device-write-iops", "", "limit writing to `operations` per second")
	decimalVar(f, &c.t.PricePerHour, "price", 0, "list price of an hour (default by vCPUs and memory)")
	cmd.Run = func(cmd *command.Command, args []string) error {
		t, err := c.build(args[0])
		if err != nil {
			return err
		}
		if t, err = a.api().CreateType(cmd.Context(), t); err != nil {
			return err
		}
		fmt.Fprintln(a.Out, t.Name)
		return nil
	}
	return cmd
}

func (c *typeFlags) build(name string) (api.InstanceType, error) {
	t := c.t
	t.Name, t.Family, t.CreditMode = name, api.Family(c.family), api.CreditMode(c.credits)
	if c.network != "" {
		bits, err := parseBits("networkBps", c.network)
		if err != nil {
			return t, err
		}
		t.NetworkBPS = bits
	}
	if c.memory == "" {
		return t, api.Invalid("memory", "a type needs --memory").WithHint("such as --memory 512m")
	}
	for _, v := range []struct {
		to    *int64
		text  string
		field string
		bytes bool
	}{
		{&t.Memory, c.memory, "memory", true}, {&t.Disk, c.disk, "disk", true},
		{&t.BlockIO.ReadBPS, c.read, "blockIO.readBps", true}, {&t.BlockIO.WriteBPS, c.write, "blockIO.writeBps", true},
		{&t.BlockIO.ReadOPS, c.readOps, "blockIO.readOps", false}, {&t.BlockIO.WriteOPS, c.writeOps, "blockIO.writeOps", false},
	} {
		n, err := rate(v.field, v.text, v.bytes)
		if err != nil {
			return t, err
		}
		*v.to = n
	}
	return t, nil
}
