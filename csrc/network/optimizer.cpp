#include "optimizer.h"

#include <algorithm>
#include <cmath>

#include "../batch/batch.h"
#include "../isa/dispatch.h"
#include "../threads/threads.h"

namespace nndl_fast {
namespace {

// Elements of a unit of threading, and of the copies on the stack of what is not contiguous.
constexpr ptrdiff_t unit = 4096, copied_at_once = 256;

bool is_contiguous(const Batch& batch, bool keeps_first, bool keeps_second) {
    const auto& stride = batch.stride;
    return batch.dims == 0 ||
           (batch.dims == 1 && stride[Batch::z][0] == 1 && stride[Batch::out][0] == 1 &&
            (!keeps_first || stride[Batch::y][0] == 1) && (!keeps_second || stride[Batch::weight][0] == 1));
}

// Shorter steps stay on one thread: the products before and after are another library's, whose threads ours would meet.
constexpr double worth_threads = 1e5;

template <class E>
ptrdiff_t units_of(const StepArrays<E>& array) {
    return (array.batch.size() + unit - 1) / unit;
}

// f(array, begin, end, before) for elements begin to end of each array, whose first unit is unit `before` of all, on
// several threads if they are worth it. An element takes `each` times as long as that of a rectifier.
template <class E, class F>
void share_units(const std::vector<StepArrays<E>>& arrays, double each, F f) {
    ptrdiff_t units = 0, elements = 0;
    for (const StepArrays<E>& array : arrays) {
        elements += array.batch.size();
        units += units_of(array);
    }
    const double time = each * nanoseconds(active_kernels<E>().rectifier, elements);
    share_out(units, time < worth_threads ? 1 : threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        ptrdiff_t before = 0;
        for (const StepArrays<E>& array : arrays) {
            const ptrdiff_t n = array.batch.size(), own = units_of(array);
            const ptrdiff_t begin = std::max(first - before, ptrdiff_t(0)) * unit;
            const ptrdiff_t end = std::min(n, (last - before) * unit);
            if (begin < end) f(array, begin, end, before);
            before += own;
        }
    });
}

template <class E>
void gather(const Batch& batch, Batch::Operand operand, ptrdiff_t begin, ptrdiff_t n, const E* from, E* to) {
    for_each_offset(batch, operand, begin, n, [&](ptrdiff_t offset, ptrdiff_t i) { to[i] = from[offset]; });
}
template <class E>
void scatter(const Batch& batch, Batch::Operand operand, ptrdiff_t begin, ptrdiff_t n, const E* from, E* to) {
    for_each_offset(batch, operand, begin, n, [&](ptrdiff_t offset, ptrdiff_t i) { to[offset] = from[i]; });
}

// The square of each element in double precision, with four sums that do not wait for each other.
template <class E>
double sum_of_squares(const E* x, ptrdiff_t n) {
    double sums[4] = {};
    for (ptrdiff_t i = 0; i < n; ++i) sums[i % 4] += double(x[i]) * double(x[i]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

template <class E>
StepJob<E> step_job(const Rule& rule, double weight_decay, Powers powers) {
    const bool plain = rule.optimizer == Optimizer::sgd;
    StepJob<E> job;
    job.optimizer = rule.optimizer;
    job.scale = E(plain ? -rule.eta : 1);
    job.decay = E(plain ? 1 - rule.eta * weight_decay : rule.decoupled ? 0 : weight_decay);
    job.eta = E(rule.eta);
    job.mu = E(rule.momentum);
    job.one_less_mu = E(1 - rule.momentum);
    job.beta = E(rule.beta2);
    job.one_less_beta = E(1 - rule.beta2);
    job.rate = E(rule.eta / (1 - powers.momentum));
    job.root = E(1 / std::sqrt(1 - powers.beta2));
    job.small = E(rule.epsilon);
    if (rule.decoupled) job.shrink = E(1 - rule.eta * weight_decay);
    return job;
}

template <class E>
double sum_of_squares(const std::vector<StepArrays<E>>& arrays) {
    ptrdiff_t units = 0;
    for (const StepArrays<E>& array : arrays) units += units_of(array);
    std::vector<double> sums(static_cast<size_t>(units));
    share_units(arrays, 0.25, [&](const StepArrays<E>& array, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t before) {
        const bool contiguous = is_contiguous(array.batch, false, false);
        for (; begin < end; begin += unit) {
            const ptrdiff_t stop = std::min(end, begin + unit);
            double& sum = sums[size_t(before + begin / unit)];
            for (ptrdiff_t at = begin; at < stop; at += copied_at_once) {
                const ptrdiff_t n = std::min(copied_at_once, stop - at);
                E copy[copied_at_once];
                const E* x = array.gradient + at;
                if (!contiguous) gather<E>(array.batch, Batch::z, at, n, array.gradient, copy), x = copy;
                sum += sum_of_squares(x, n);
            }
        }
    });
    return fold(sums.data(), units);
}

template <class E>
void step_arrays(const StepJob<E>& rule, const std::vector<StepArrays<E>>& arrays) {
    const auto kernel = active_kernels<E>().step;
    const bool first = keeps_first(rule.optimizer), second = keeps_second(rule.optimizer);
    const bool divides = rule.optimizer >= Optimizer::adagrad;
    share_units(arrays, divides ? 1 : 0.25, [&](const StepArrays<E>& array, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t) {
        StepJob<E> job = rule;
        if (is_contiguous(array.batch, first, second)) {
            job.n = end - begin;
            job.parameters = array.parameters + begin;
            job.gradient = array.gradient + begin;
            if (first) job.first = array.first + begin;
            if (second) job.second = array.second + begin;
            return kernel(job);
        }
        E copies[4][copied_at_once];
        job.parameters = copies[0];
        job.gradient = copies[1];
        job.first = copies[2];
        job.second = copies[3];
        for (; begin < end; begin += job.n) {
            job.n = std::min(copied_at_once, end - begin);
            const auto in = [&](Batch::Operand operand, const E* from, E* to) {
                gather<E>(array.batch, operand, begin, job.n, from, to);
            };
            in(Batch::out, array.parameters, copies[0]);
            in(Batch::z, array.gradient, copies[1]);
            if (first) in(Batch::y, array.first, copies[2]);
            if (second) in(Batch::weight, array.second, copies[3]);
            kernel(job);
            scatter<E>(array.batch, Batch::out, begin, job.n, copies[0], array.parameters);
            if (first) scatter<E>(array.batch, Batch::y, begin, job.n, copies[2], array.first);
            if (second) scatter<E>(array.batch, Batch::weight, begin, job.n, copies[3], array.second);
        }
    });
}

template StepJob<float> step_job(const Rule&, double, Powers);
template StepJob<double> step_job(const Rule&, double, Powers);
template double sum_of_squares(const std::vector<StepArrays<float>>&);
template double sum_of_squares(const std::vector<StepArrays<double>>&);
template void step_arrays(const StepJob<float>&, const std::vector<StepArrays<float>>&);
template void step_arrays(const StepJob<double>&, const std::vector<StepArrays<double>>&);

}  // namespace nndl_fast
