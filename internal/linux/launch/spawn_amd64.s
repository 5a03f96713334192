#include "textflag.h"

// The child shares memory and stack pointer with the suspended parent. It
// keeps everything in registers and in the frame and never touches the stack.
//
//	R12 frame    R13 current op

#define ERRNO   0
#define FAILED  8
#define FIRST   48
#define SECOND  136

#define OP_SAVE    56
#define OP_IGNORE  64
#define OP_SIZE    136

#define SYS_EXIT_GROUP  231
#define SYS_CLONE3      435
#define CLONE_ARGS      88

// func spawn(frame, ops uintptr) int64
TEXT ·spawn(SB),NOSPLIT,$0-24
	CALL	runtime·entersyscall(SB)
	MOVQ	frame+0(FP), R12
	MOVQ	ops+8(FP), R13
	LEAQ	FIRST(R12), DI
	MOVQ	$CLONE_ARGS, SI
	MOVQ	$SYS_CLONE3, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	loop
	MOVQ	AX, ret+16(FP)
	CALL	runtime·exitsyscall(SB)
	RET

loop:
	MOVQ	0(R13), AX
	CMPQ	AX, $-1
	JEQ	fork
	MOVQ	8(R13), DI
	MOVQ	(DI), DI
	MOVQ	16(R13), SI
	MOVQ	(SI), SI
	MOVQ	24(R13), DX
	MOVQ	(DX), DX
	MOVQ	32(R13), R10
	MOVQ	(R10), R10
	MOVQ	40(R13), R8
	MOVQ	(R8), R8
	MOVQ	48(R13), R9
	MOVQ	(R9), R9
	SYSCALL
	CMPQ	AX, $-4095
	JCC	error

done:
	MOVQ	OP_SAVE(R13), BX
	MOVQ	AX, (BX)

next:
	ADDQ	$OP_SIZE, R13
	JMP	loop

error:
	NEGQ	AX
	CMPQ	AX, (OP_IGNORE+0)(R13)
	JEQ	ignore
	CMPQ	AX, (OP_IGNORE+8)(R13)
	JEQ	ignore
	CMPQ	AX, (OP_IGNORE+16)(R13)
	JEQ	ignore

fail:
	MOVQ	R13, FAILED(R12)
	MOVQ	AX, ERRNO(R12)

exit:
	XORL	DI, DI
	MOVQ	$SYS_EXIT_GROUP, AX
	SYSCALL
	JMP	exit

ignore:
	XORL	AX, AX
	JMP	done

fork:
	LEAQ	SECOND(R12), DI
	MOVQ	$CLONE_ARGS, SI
	MOVQ	$SYS_CLONE3, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	next
	CMPQ	AX, $-4095
	JCS	exit
	NEGQ	AX
	JMP	fail
