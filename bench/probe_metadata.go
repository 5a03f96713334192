package main

import (
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// reads asks the metadata service for so long, by the AWS SDK's client with its
// defaults, below the rate that an instance may ask at.
func reads(length time.Duration) (took []time.Duration, err error) {
	ctx := context.Background()
	client := imds.New(imds.Options{})
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(3 * time.Millisecond) {
		began := time.Now()
		out, err := client.GetMetadata(ctx, &imds.GetMetadataInput{Path: "instance-id"})
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, out.Content); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
