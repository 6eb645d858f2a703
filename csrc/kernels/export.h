// What a file of kernels is compiled for, and how it hands them to the linker.
//
// CMake compiles each file of csrc/kernels/operations/ once per instruction set and type (half.cpp, which has no type
// of vectors, once per instruction set). NNDL_ISA is the name of the set, NNDL_SIMD its header, and NNDL_VECTOR the
// type of its vectors: F32x16 or F64x8.
//
// A kernel is exported in the namespace that has the name of its instruction set. Everything else in such a file
// stands in an anonymous namespace: of an inline function that is compiled for AVX-512 and for the baseline, the
// linker could keep the copy for AVX-512, for everyone (tests/core/test_core.py reads the symbols).
#pragma once
#include NNDL_SIMD
#include "job.h"

#define NNDL_EXPORT(result, kernel, JobOf)                                                                  \
    namespace NNDL_ISA {                                                                                    \
    result kernel(const JobOf<NNDL_VECTOR::Element>& job) { return ::nndl_fast::kernel<NNDL_VECTOR>(job); } \
    }

// A kernel of rows, from its operation; see kernels/traversal/drive.h.
#define NNDL_EXPORT_ROWS(kernel, Operation)                                                                \
    namespace NNDL_ISA {                                                                                   \
    void kernel(const Job<NNDL_VECTOR::Element>& job) { ::nndl_fast::drive<Operation, NNDL_VECTOR>(job); } \
    }
