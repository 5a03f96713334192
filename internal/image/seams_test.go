package image_test

import (
	"github.com/virga-cloud/virga/internal/image"
	"github.com/virga-cloud/virga/internal/node"
	"github.com/virga-cloud/virga/internal/server"
)

var (
	_ node.Images   = (*image.Store)(nil)
	_ server.Images = (*image.Store)(nil)
)
