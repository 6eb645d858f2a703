// Counts what a test of the core checks, in any thread, and shows the first failures.
#pragma once
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

static std::atomic<int> failures{0}, checks{0};

static void check(bool good, const std::string& what) {
    ++checks;
    if (!good && ++failures <= 20) std::printf("FAILED %s\n", what.c_str());
}

// What a test's main() returns.
static int summary() {
    std::printf("%d checks, %d failures\n", checks.load(), failures.load());
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
