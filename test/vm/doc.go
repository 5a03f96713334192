// Package vm runs tests of the other packages, and the end-to-end tests, in a
// virtual machine: an older kernel than the developer's, with cgroups of
// version 2 and nothing else.
//
//	Kernel      Debian's cloud kernel, unpacked from its package
//	initramfs   the guest's init and the modules the tests need
//	disk        ext4: busybox, virga, the test binaries and the plan
//	Machine     QEMU, without KVM; the second serial line carries results
//	Results     what that line says, as the tree of tests
//
// The guest's init (test/vm/init) runs the programs of the plan one after the
// other and powers the machine off. A run has a deadline, and the machine ends
// with it.
package vm
