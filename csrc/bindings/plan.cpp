// Shows the plan of a call, for whoever wants to know why it is as fast as it is.
#include "../batch/batch.h"
#include "array.h"
#include "module.h"

namespace nndl_fast {
namespace {

struct Words {
    const char *name, *reason;
};

Words words_for(Path path) {
    switch (path) {
        case Path::tiles_in_place:
            return {"tiles in place", "rows stand side by side: a vector holds a class of each"};
        case Path::packed_tiles:
            return {"packed tiles", "few classes: rows are packed so that a vector holds a class of each"};
        case Path::panels:
            return {"panels", "columns of some classes: all classes of some columns are packed"};
        case Path::rows:
            return {"rows", "the classes of z and of the result are contiguous"};
        case Path::copied_rows:
            return {"copied rows", "many classes that are not contiguous: some rows at a time are copied"};
        case Path::slice_of_row:
            break;  // of a part that one thread has, never of a call
    }
    return {"", ""};
}

template <class E>
py::dict plan_for(const py::array& z, int axis, py::array& out) {
    Job<E> job;
    Batch batch = view(job, axis, z, nullptr, &out);
    batch.simplify();
    const Plan plan = plan_of_rows(job, batch);
    py::dict shown;
    shown["path"] = words_for(plan.path).name;
    shown["reason"] = words_for(plan.path).reason;
    shown["rows_by_path"] = plan.rows_by_path;
    shown["path_of_the_rest"] = words_for(plan.rest).name;
    shown["scratch_bytes"] = plan.scratch * ptrdiff_t(sizeof(E));
    shown["rows_per_unit"] = plan.unit;
    shown["divisible_by_classes"] = plan.divisible;
    return shown;
}

// The plan of softmax(z, axis, out=out): of as many of its rows as stand at one stride.
py::dict plan(py::handle given, py::handle axis, py::handle out) {
    const Floats z = to_floats(given, {"plan", "z"}, true);
    if (!z.array.size()) throw py::value_error("plan: z is empty");
    const int one = z.array.ndim() ? normal_axis(axis, int(z.array.ndim()), {"plan", "axis"}) : 0;
    Result result(out, z, {&z.array}, {"plan", "out"});
    return z.single ? plan_for<float>(z.array, one, result.array()) : plan_for<double>(z.array, one, result.array());
}

}  // namespace

void add_plan(py::module_& module) {
    module.def("plan", &plan, py::arg("z"), py::arg("axis") = -1, py::arg("out") = py::none());
}

}  // namespace nndl_fast
