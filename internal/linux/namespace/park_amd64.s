#include "textflag.h"

// Numbers of system calls and flags; assembly has no access to x/sys.
#define SYS_WRITE   1
#define SYS_PAUSE   34
#define SYS_CLONE   56
#define SYS_EXIT    60
#define SYS_GETPPID 110
#define SYS_PRCTL   157
#define SYS_UNSHARE 272
#define SYS_SETNS   308

#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWNET  0x40000000

// func cloneParked(p *park) int64
TEXT ·cloneParked(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), R12
	MOVQ 16(R12), DI
	XORQ SI, SI // the caller's stack, which the child leaves alone
	XORQ DX, DX
	XORQ R10, R10
	XORQ R8, R8
	MOVQ $SYS_CLONE, AX
	SYSCALL
	TESTQ AX, AX
	JZ   child
	MOVQ AX, ret+8(FP)
	RET

child:
	MOVQ 24(R12), DI
	CMPQ DI, $0
	JLT  owned
	MOVQ $CLONE_NEWUSER, SI
	MOVQ $SYS_SETNS, AX
	SYSCALL
	TESTQ AX, AX
	JNZ  report

owned:
	MOVQ $1, DI // PR_SET_PDEATHSIG
	MOVQ $9, SI // SIGKILL
	MOVQ $SYS_PRCTL, AX
	SYSCALL
	MOVQ $SYS_GETPPID, AX
	SYSCALL
	CMPQ AX, 32(R12)
	JNE  orphan
	MOVQ $CLONE_NEWNET, DI
	MOVQ $SYS_UNSHARE, AX
	SYSCALL

report:
	MOVQ AX, 8(R12)
	MOVQ 0(R12), DI
	MOVQ R12, SI
	MOVQ $8, DX
	MOVQ $SYS_WRITE, AX
	SYSCALL

wait:
	MOVQ $SYS_PAUSE, AX
	SYSCALL
	JMP  wait

orphan:
	XORQ DI, DI
	MOVQ $SYS_EXIT, AX
	SYSCALL
	JMP  orphan
