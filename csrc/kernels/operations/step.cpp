// A step of gradient descent: parameters, what is kept of earlier gradients, and this one, in one pass.
//
// With g the gradient of the mean cost, decay w included:
//   momentum   v <- mu v - eta g,  w <- w + v                                    (the book's (107), (108))
//   nesterov   the same v,         w <- w + mu v - eta g
//   adam       m <- mu m + (1 - mu) g,  s <- beta s + (1 - beta) g^2,
//              w <- w - rate m / (root sqrt(s) + small)                          (Kingma and Ba, 2014)
// where rate and root hold the corrections of the first steps. For plain descent the gradient comes times
// -eta already, and w <- decay w + gradient.
#include "../../isa/export.h"
#include "../traversal/layout.h"

namespace nndl_fast {
namespace {

// Zero in place of what is too small to matter: the weights of an input that is always 0 shrink for ever, and
// numbers below the smallest normal one take a processor a hundred times as long.
template <class V, class E = typename V::Element>
NNDL_INLINE V settled(V x, E least) {
    const V zero = V::all(0);
    return select(less(max(zero - x, x), V::all(least)), zero, x);
}

template <class V, class E = typename V::Element>
void step(const StepJob<E>& job) {
    constexpr E least = sizeof(E) == sizeof(float) ? E(0x1p-50) : E(0x1p-400);
    const V zero = V::all(0), decay = V::all(job.decay), eta = V::all(job.eta), mu = V::all(job.mu);
    for (ptrdiff_t i = 0; i < job.n; i += V::size) {
        const V w = V::load(job.parameters + i), given = V::load(job.gradient + i);
        const auto moved = [&](V to) NNDL_LAMBDA { to.store(job.parameters + i); };
        if (job.optimizer == Optimizer::sgd) {
            moved(settled(fma(decay, w, given), least));
            continue;
        }
        const V g = settled(fma(decay, w, given), least), v = V::load(job.first + i);
        if (job.optimizer == Optimizer::adam) {
            const V m = settled(fma(mu, v, V::all(job.one_less_mu) * g), least);
            const V s = settled(fma(V::all(job.beta), V::load(job.second + i), V::all(job.one_less_beta) * g * g),
                                least * least);
            m.store(job.first + i);
            s.store(job.second + i);
            moved(w - V::all(job.rate) * m / fma(sqrt(s), V::all(job.root), V::all(job.small)));
            continue;
        }
        const V move = zero - eta * g, velocity = settled(fma(mu, v, move), least);
        velocity.store(job.first + i);
        moved(w + (job.optimizer == Optimizer::nesterov ? fma(mu, velocity, move) : velocity));
    }
}

}  // namespace

NNDL_EXPORT(void, step, StepJob)

}  // namespace nndl_fast
