// exp for x <= 0, alone and times softmax's factor, log for x >= 1, the logistic function and tanh as the kernels use
// them, element by element.
#pragma once
#include <stddef.h>

template <class E>
struct Functions {
    using Function = void (*)(const E* x, ptrdiff_t n, E* result);
    Function exp, exp_times_factor, log, logistic, tanh;
};

struct FunctionTable {
    const char* isa;
    Functions<float> f32;
    Functions<double> f64;
};
