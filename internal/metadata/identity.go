package metadata

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/smallstep/pkcs7"
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

// identity is a document with its signatures, so that anyone with the
// certificate can check who speaks.
type identity struct {
	document  string
	signature string // of its SHA-256 sum, base64
	pkcs7     string // document, signature and certificate in one, base64 of DER
}

// newDocument is the document of v.
func newDocument(v View) (string, error) {
	d := document{
		AccountID: v.Project, Architecture: v.Arch, AvailabilityZone: v.Node, ImageID: imageID(v.Image),
		InstanceID: instanceID(v.ID), InstanceType: v.Type, PendingTime: stamp(v.Started), Region: v.Region,
		Version: "2017-09-30",
	}
	if len(v.Interfaces) > 0 {
		d.PrivateIP = addr(v.Interfaces[0].Address)
	}
	b, err := json.MarshalIndent(d, "", "  ")
	return string(b), err
}

// sign signs a document both ways.
func sign(doc string, key crypto.Signer, certificate *x509.Certificate) (identity, error) {
	id := identity{document: doc}
	sum := sha256.Sum256([]byte(doc))
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return id, err
	}
	id.signature = base64.StdEncoding.EncodeToString(sig)
	data, err := pkcs7.NewSignedData([]byte(doc))
	if err != nil {
		return id, err
	}
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := data.AddSigner(certificate, key, pkcs7.SignerInfoConfig{}); err != nil {
		return id, err
	}
	der, err := data.Finish()
	if err != nil {
		return id, err
	}
	id.pkcs7 = lines(base64.StdEncoding.EncodeToString(der))
	return id, nil
}

// lines breaks base64 as PEM does, so that only its frame has to be added.
func lines(s string) string {
	const width = 64
	var out []string
	for ; len(s) > width; s = s[width:] {
		out = append(out, s[:width])
	}
	return strings.Join(append(out, s), "\n")
}
