// Command imds is a workload of the end-to-end tests: it asks the metadata
// service by the AWS SDK's own client, unmodified and with its defaults, and
// prints what it was told as JSON.
//
//	imds               what the SDK reads, and how it fares without a token
//	imds latency N     the time of the 99th of 100 of N reads, in microseconds
package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// base is where the service is.
const base = "http://169.254.169.254"

// Report is what the program prints.
type Report struct {
	Document  imds.InstanceIdentityDocument
	Region    string
	UserData  string
	Metadata  map[string]string
	Plain     int // status of a GET without a token
	Forwarded int // status of a request for a token that was forwarded
	Hops      int // TTL of the packet that brings a token
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if len(args) == 2 && args[0] == "latency" {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return latency(ctx, n)
	}
	client := imds.New(imds.Options{})
	doc, err := client.GetInstanceIdentityDocument(ctx, nil)
	if err != nil {
		return err
	}
	r := Report{Document: doc.InstanceIdentityDocument, Metadata: map[string]string{}}
	region, err := client.GetRegion(ctx, nil)
	if err != nil {
		return err
	}
	r.Region = region.Region
	if data, err := client.GetUserData(ctx, nil); err == nil {
		b, err := io.ReadAll(data.Content)
		if err != nil {
			return err
		}
		r.UserData = string(b)
	}
	for _, path := range args {
		out, err := client.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
		if err != nil {
			continue // it is not there
		}
		b, err := io.ReadAll(out.Content)
		if err != nil {
			return err
		}
		r.Metadata[path] = string(b)
	}
	if r.Plain, err = status(ctx, "GET", "/latest/meta-data/instance-id", nil); err != nil {
		return err
	}
	ttl := http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}}
	if r.Forwarded, err = status(ctx, "PUT", "/latest/api/token", http.Header{
		"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}, "X-Forwarded-For": {"192.0.2.1"},
	}); err != nil {
		return err
	}
	if r.Hops, err = hops(func() error {
		_, err := status(ctx, "PUT", "/latest/api/token", ttl)
		return err
	}); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// status makes a request on a connection of its own.
func status(ctx context.Context, method, path string, h http.Header) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, base+path, nil)
	if err != nil {
		return 0, err
	}
	if h != nil {
		r.Header = h
	}
	r.Close = true
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer a.Body.Close()
	return a.StatusCode, nil
}

// hops is the smallest TTL of the packets with data that come from the service
// while ask runs.
func hops(ask func() error) (int, error) {
	const all = 0x0300 // ETH_P_ALL in network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, all)
	if err != nil {
		return 0, fmt.Errorf("capture packets: %w", err)
	}
	defer syscall.Close(fd)
	if err := ask(); err != nil {
		return 0, err
	}
	least := 255
	buf := make([]byte, 64<<10)
	for {
		n, _, err := syscall.Recvfrom(fd, buf, 0)
		if err != nil {
			return least, nil // there are no more
		}
		p := buf[:n]
		if n < 40 || p[0]>>4 != 4 || binary.BigEndian.Uint32(p[12:]) != 0xa9fea9fe || p[9] != syscall.IPPROTO_TCP {
			continue
		}
		head := int(p[0]&15) * 4
		if data := int(binary.BigEndian.Uint16(p[2:])) - head - int(p[head+12]>>4)*4; data > 0 {
			least = min(least, int(p[8]))
		}
	}
}

// latency reads one path n times.
func latency(ctx context.Context, n int) error {
	client := imds.New(imds.Options{})
	var took []time.Duration
	for range n {
		began := time.Now()
		out, err := client.GetMetadata(ctx, &imds.GetMetadataInput{Path: "instance-id"})
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, out.Content); err != nil {
			return err
		}
		took = append(took, time.Since(began))
		// Below the limit of an instance.
		time.Sleep(3 * time.Millisecond)
	}
	slices.SortFunc(took, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	fmt.Println(took[len(took)*99/100].Microseconds())
	return nil
}
