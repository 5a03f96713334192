package main

import "context"

// networkParts measure what a network of virga costs beside one made by hand
// and beside Docker's, and how fast it is changed: throughput between instances
// and the node, on two cores and on one; published ports and services in the kernel; an instance's place
// from the pool; changes of the rules of a node with 1,000 instances and 200
// services; requests through the proxy on one core; answers of the name server
// on one core. Each records its figures, named network.*, and leaves nothing
// behind.
var networkParts = []part{
	{"throughput", inApart(networkThroughput)},
	{"core", inApart(networkOneCore)},
	{"paths", inApart(networkKernelPaths)},
	{"attach", withTools(networkAttach)},
	{"change", withTools(networkChange)},
	{"l7", withTools(networkProxy)},
	{"dns", withTools(networkDNS)},
}

// withTools is a part whose daemon has the image toolsImage.
func withTools(run func(context.Context, *env) error) func(*env, context.Context) error {
	return func(e *env, ctx context.Context) error {
		if err := e.importTools(ctx); err != nil {
			return err
		}
		return run(ctx, e)
	}
}
