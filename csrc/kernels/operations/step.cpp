// A step of gradient descent: parameters, what is kept of earlier gradients, and this one, in one pass.
//
// With g the gradient times `scale`, plus what decay adds, decay w:
//   momentum   v <- mu v - eta g,  w <- w + v                                    (the book's (107), (108))
//   nesterov   the same v,         w <- w + mu v - eta g
//   adagrad    s <- s + g^2,                       w <- w - eta g / (sqrt(s) + small)    (Duchi et al., 2011)
//   rmsprop    s <- beta s + (1 - beta) g^2,       w <- w - eta g / (sqrt(s) + small)    (Hinton, 2012)
//   adam       m <- mu m + (1 - mu) g,  s <- beta s + (1 - beta) g^2,
//              w <- shrink w - rate m / (root sqrt(s) + small)    (Kingma and Ba, 2014; Loshchilov and Hutter, 2017)
// where rate and root hold the corrections of the first steps. Plain descent is w <- decay w + g, with -eta in `scale`.
#include "../layout.h"

namespace nndl_fast {
namespace {

// Zero in place of what is too small to matter. The weights of an input that is always 0 shrink in every step, and
// subnormal numbers would take a hundred times as long.
template <class V, class E = typename V::Element>
NNDL_INLINE V settled(V x, E least) {
    const V zero = V::all(0);
    return select(less(max(zero - x, x), V::all(least)), zero, x);
}

template <class V, class E = typename V::Element>
void step(const StepJob<E>& job) {
    constexpr bool single = sizeof(E) == sizeof(float);
    // Of squares only what is below the smallest normal number: they are divisors.
    constexpr E least = single ? E(0x1p-50) : E(0x1p-400), least_square = single ? E(0x1p-126) : E(0x1p-1022);
    const V zero = V::all(0), decay = V::all(job.decay), eta = V::all(job.eta), mu = V::all(job.mu);
    const V beta = V::all(job.beta), small = V::all(job.small), scale = V::all(job.scale);
    const RowLayout<V> line{job.n};
    line.for_each([&](auto at) NNDL_LAMBDA {
        const auto load = [&](const E* from) NNDL_LAMBDA { return line.load(Strided<const E>{from, 1}, at, E(0)); };
        const auto store = [&](E* to, V x) NNDL_LAMBDA { line.store(Strided<E>{to, 1}, at, x); };
        const V w = load(job.parameters), sum = fma(decay, w, scale * load(job.gradient));
        const auto moved = [&](V to) NNDL_LAMBDA { store(job.parameters, to); };
        if (job.optimizer == Optimizer::sgd) return moved(sum);
        const V g = settled(sum, least);
        const V first = load(job.first);
        if (job.optimizer == Optimizer::adagrad || job.optimizer == Optimizer::rmsprop) {
            const V square = job.optimizer == Optimizer::adagrad
                                 ? fma(g, g, first)
                                 : settled(fma(beta, first, V::all(job.one_less_beta) * g * g), least_square);
            store(job.first, square);
            return moved(w - eta * g / (sqrt(square) + small));
        }
        if (job.optimizer == Optimizer::adam) {
            const V m = settled(fma(mu, first, V::all(job.one_less_mu) * g), least);
            const V s = settled(fma(beta, load(job.second), V::all(job.one_less_beta) * g * g), least_square);
            store(job.first, m);
            store(job.second, s);
            return moved(V::all(job.shrink) * w - V::all(job.rate) * m / fma(sqrt(s), V::all(job.root), small));
        }
        const V move = zero - eta * g, velocity = settled(fma(mu, first, move), least);
        store(job.first, velocity);
        moved(w + (job.optimizer == Optimizer::nesterov ? fma(mu, velocity, move) : velocity));
    });
}

}  // namespace

NNDL_EXPORT(void, step, StepJob)

}  // namespace nndl_fast
