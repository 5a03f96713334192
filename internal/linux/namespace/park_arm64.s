#include "textflag.h"

#define SYS_WRITE   64
#define SYS_PPOLL   73
#define SYS_EXIT    93
#define SYS_GETPPID 173
#define SYS_UNSHARE 97
#define SYS_PRCTL   167
#define SYS_CLONE   220
#define SYS_SETNS   268

#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWNET  0x40000000

// func cloneParked(p *park) int64
TEXT ·cloneParked(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R19
	MOVD 16(R19), R0
	MOVD ZR, R1 // the caller's stack, which the child leaves alone
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD $SYS_CLONE, R8
	SVC
	CBZ  R0, child
	MOVD R0, ret+8(FP)
	RET

child:
	MOVD 24(R19), R0
	CMP  $0, R0
	BLT  owned
	MOVD $CLONE_NEWUSER, R1
	MOVD $SYS_SETNS, R8
	SVC
	CBNZ R0, report

owned:
	MOVD $1, R0 // PR_SET_PDEATHSIG
	MOVD $9, R1 // SIGKILL
	MOVD $SYS_PRCTL, R8
	SVC
	MOVD $SYS_GETPPID, R8
	SVC
	MOVD 32(R19), R1
	CMP  R1, R0
	BNE  orphan
	MOVD $CLONE_NEWNET, R0
	MOVD $SYS_UNSHARE, R8
	SVC

report:
	MOVD R0, 8(R19)
	MOVD 0(R19), R0
	MOVD R19, R1
	MOVD $8, R2
	MOVD $SYS_WRITE, R8
	SVC

wait:
	MOVD ZR, R0 // no descriptors, no timeout: until a signal
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD $SYS_PPOLL, R8
	SVC
	JMP  wait

orphan:
	MOVD ZR, R0
	MOVD $SYS_EXIT, R8
	SVC
	JMP  orphan
