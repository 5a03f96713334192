package main

import (
	"context"
	"fmt"
)

// networkPart is one part of the subject network.
type networkPart struct {
	about string
	run   func(context.Context, *env) error
}

// networkParts are measured one after the other. Each records its figures,
// named network.*, and leaves nothing behind.
var networkParts = []networkPart{
	{"throughput between instances and the node, beside a bridge made by hand", networkThroughput},
	{"published ports and services in the kernel, beside the instance's own address", networkKernelPaths},
	{"an instance is given its place, from the pool", networkAttach},
	{"changes of the rules of a node with 1,000 instances and 200 services", networkChange},
	{"requests through the proxy on one core, beside nginx and haproxy", networkProxy},
	{"answers of the name server on one core", networkDNS},
}

// benchNetwork measures what a network of virga costs beside one made by hand
// and beside Docker's, and how fast it is changed.
func benchNetwork(ctx context.Context, e *env) error {
	if err := e.importTools(ctx); err != nil {
		return err
	}
	for _, p := range networkParts {
		fmt.Printf(" %s\n", p.about)
		if err := p.run(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", p.about, err)
		}
	}
	return nil
}
