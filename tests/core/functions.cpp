// Compiled once for each instruction set: ISA names it and HEADER is its header.
#include HEADER
#include "functions.h"

#include "../../csrc/math/logistic.h"
#include "../../csrc/math/tanh.h"

namespace nndl_fast {
namespace {

template <class V, class F>
void each(const typename V::Element* x, ptrdiff_t n, typename V::Element* result, F f) {
    for (ptrdiff_t i = 0; i < n; i += V::size) f(V::load(x + i)).store(result + i);
}
template <class V, class E = typename V::Element>
void exp_of(const E* x, ptrdiff_t n, E* result) {
    using K = ExpConstants<E>;
    each<V>(x, n, result, [](V v) {
        return exponential(max(V::all(-K::depth), v), rounder_for(V::all(K::lift))).value() * V::all(K::down);
    });
}
template <class V, class E = typename V::Element>
void exp_times_factor_of(const E* x, ptrdiff_t n, E* result) {
    using K = ExpConstants<E>;
    each<V>(x, n, result, [](V v) {
        return exponential_times_factor(max(V::all(-K::depth), v), rounder_for(V::all(K::lift))).value() *
               V::all(K::down);
    });
}
template <class V, class E = typename V::Element>
void log_of_all(const E* x, ptrdiff_t n, E* result) {
    each<V>(x, n, result, [](V v) { return log_of(log_parts(v)); });
}
template <class V, class E = typename V::Element>
void logistic_of(const E* x, ptrdiff_t n, E* result) {
    each<V>(x, n, result, [](V v) { return logistic(v); });
}
template <class V, class E = typename V::Element>
void tanh_of(const E* x, ptrdiff_t n, E* result) {
    each<V>(x, n, result, [](V v) { return hyperbolic_tangent(v); });
}
template <class V>
constexpr Functions<typename V::Element> functions() {
    return {exp_of<V>, exp_times_factor_of<V>, log_of_all<V>, logistic_of<V>, tanh_of<V>};
}

}  // namespace
}  // namespace nndl_fast

#define TABLE_OF(isa) functions_##isa
#define TABLE(isa) TABLE_OF(isa)
#define TEXT_OF(isa) #isa
#define TEXT(isa) TEXT_OF(isa)
extern const FunctionTable TABLE(ISA);
const FunctionTable TABLE(ISA) = {TEXT(ISA), nndl_fast::functions<nndl_fast::F32x16>(),
                                  nndl_fast::functions<nndl_fast::F64x8>()};
