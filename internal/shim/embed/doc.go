// Package embed carries the binary of virga-shim inside the daemon. The build
// puts it into the directory files before it compiles this package; a checkout
// that was not built that way compiles too, without it.
package embed
