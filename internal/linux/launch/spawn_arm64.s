#include "textflag.h"

// The child shares memory and stack pointer with the suspended parent. It
// keeps everything in registers and in the frame and never touches the stack.
//
//	R19 frame    R20 current op

#define ERRNO   0
#define FAILED  8
#define FIRST   48
#define SECOND  136

#define OP_SAVE    56
#define OP_IGNORE  64
#define OP_SIZE    136

#define SYS_EXIT_GROUP  94
#define SYS_CLONE3      435
#define CLONE_ARGS      88

// func spawn(frame, ops uintptr) int64
TEXT ·spawn(SB),NOSPLIT,$16-24
	BL	runtime·entersyscall(SB)
	MOVD	frame+0(FP), R19
	MOVD	ops+8(FP), R20
	ADD	$FIRST, R19, R0
	MOVD	$CLONE_ARGS, R1
	MOVD	$SYS_CLONE3, R8
	SVC
	CBZ	R0, loop
	MOVD	R0, ret+16(FP)
	BL	runtime·exitsyscall(SB)
	RET

loop:
	MOVD	0(R20), R8
	CMN	$1, R8
	BEQ	fork
	MOVD	8(R20), R0
	MOVD	(R0), R0
	MOVD	16(R20), R1
	MOVD	(R1), R1
	MOVD	24(R20), R2
	MOVD	(R2), R2
	MOVD	32(R20), R3
	MOVD	(R3), R3
	MOVD	40(R20), R4
	MOVD	(R4), R4
	MOVD	48(R20), R5
	MOVD	(R5), R5
	SVC
	CMN	$4095, R0
	BCS	error

done:
	MOVD	OP_SAVE(R20), R9
	MOVD	R0, (R9)

next:
	ADD	$OP_SIZE, R20
	B	loop

error:
	NEG	R0, R0
	MOVD	(OP_IGNORE+0)(R20), R9
	CMP	R0, R9
	BEQ	ignore
	MOVD	(OP_IGNORE+8)(R20), R9
	CMP	R0, R9
	BEQ	ignore
	MOVD	(OP_IGNORE+16)(R20), R9
	CMP	R0, R9
	BEQ	ignore

fail:
	MOVD	R20, FAILED(R19)
	MOVD	R0, ERRNO(R19)

exit:
	MOVD	ZR, R0
	MOVD	$SYS_EXIT_GROUP, R8
	SVC
	B	exit

ignore:
	MOVD	ZR, R0
	B	done

fork:
	ADD	$SECOND, R19, R0
	MOVD	$CLONE_ARGS, R1
	MOVD	$SYS_CLONE3, R8
	SVC
	CBZ	R0, next
	CMN	$4095, R0
	BCC	exit
	NEG	R0, R0
	B	fail
