package metadata

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// document is EC2's identity document, field for field.
type document struct {
	AccountID               string   `json:"accountId"`
	Architecture            string   `json:"architecture"`
	AvailabilityZone        string   `json:"availabilityZone"`
	BillingProducts         []string `json:"billingProducts"`
	DevpayProductCodes      []string `json:"devpayProductCodes"`
	MarketplaceProductCodes []string `json:"marketplaceProductCodes"`
	ImageID                 string   `json:"imageId"`
	InstanceID              string   `json:"instanceId"`
	InstanceType            string   `json:"instanceType"`
	KernelID                *string  `json:"kernelId"`
	PendingTime             string   `json:"pendingTime"`
	PrivateIP               string   `json:"privateIp"`
	RamdiskID               *string  `json:"ramdiskId"`
	Region                  string   `json:"region"`
	Version                 string   `json:"version"`
}

// identity is the document of v and its signature: SHA-256 with the node's
// key, in base64, so that anyone with the certificate can check who speaks.
func identity(v View, key crypto.Signer) (doc, signature string, err error) {
	d := document{
		AccountID: v.Project, Architecture: v.Arch, AvailabilityZone: v.Node, ImageID: imageID(v.Image),
		InstanceID: instanceID(v.ID), InstanceType: v.Type, PendingTime: stamp(v.Started), Region: v.Region,
		Version: "2017-09-30",
	}
	if len(v.Interfaces) > 0 {
		d.PrivateIP = addr(v.Interfaces[0].Address)
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(b)
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return "", "", fmt.Errorf("sign identity of %s: %w", v.ID, err)
	}
	return string(b), base64.StdEncoding.EncodeToString(sig), nil
}
