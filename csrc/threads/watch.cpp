// Work that can be interrupted: what is long is cut into parts, and after each the caller's watch is asked.
#include <algorithm>

#include "threads.h"

namespace nndl_fast {
namespace {

thread_local Watch* watch = nullptr;

void run(ptrdiff_t units, int threads, double nanoseconds, Body body) {
    if (threads <= 1 || units <= 1) return body.run(body.context, 0, units);
    share_out_now(units, threads, nanoseconds, body);
}

}  // namespace

Watch::Watch(bool (*goes_on)(void*), void* context) : goes_on_(goes_on), context_(context), outer_(watch) {
    watch = this;
}
Watch::~Watch() { watch = outer_; }

void Watch::done(double nanoseconds) {
    Watch* const asked = watch;
    if (!asked || !asked->goes_on_) return;
    asked->since_asked_ += nanoseconds;
    if (asked->since_asked_ < interval) return;
    asked->since_asked_ = 0;
    // Code of others may run meanwhile, a signal's handler and what it calls. It may even leave this stack for another
    // one, as greenlets do, and this watch's memory with it; what it asks of us is not watched by this one.
    watch = nullptr;
    const bool goes_on = asked->goes_on_(asked->context_);
    watch = asked;
    if (!goes_on) throw Interrupted();
}

void share_out(ptrdiff_t units, int threads, double nanoseconds, Body body) {
    if (!watch || !watch->goes_on_ || nanoseconds < Watch::first_part || units < 2) {
        run(units, threads, nanoseconds, body);
        return Watch::done(nanoseconds);
    }
    struct Part {
        Body body;
        ptrdiff_t start;
    } part{body, 0};
    const auto moved = [](void* context, ptrdiff_t first, ptrdiff_t last) {
        const Part& part = *static_cast<Part*>(context);
        part.body.run(part.body.context, part.start + first, part.start + last);
    };
    const double each = nanoseconds / double(units);
    // What a unit takes is only estimated: the first part is small, and shows what the others may be. Each has as many
    // units for every thread: none waits for another that has one more.
    for (double at_once = Watch::first_part / each; part.start < units;) {
        const ptrdiff_t n = std::min(units - part.start, (ptrdiff_t(at_once) / threads + 1) * threads);
        const int64_t start = now();
        run(n, threads, each * double(n), {moved, &part});
        const double took = double(std::max<int64_t>(1, now() - start));
        part.start += n;
        at_once = Watch::interval * double(n) / took;
        Watch::done(took);
    }
}

}  // namespace nndl_fast
