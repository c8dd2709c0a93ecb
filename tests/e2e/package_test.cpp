// The archive of scripts/package.sh, unpacked elsewhere, does the whole work: a set, a model, an ONNX file.
#include "tests/e2e/walk.h"

namespace likeness::test {
namespace {

TEST(Package, RunsWhereverItIsUnpacked) {
  if (binary_dir() != source_dir() / "build/release/bin")
    GTEST_SKIP() << "skipped: packages are made of the release build";
  const TempDir d;
  const std::string archive = (d / "likeness.tar.gz").string();
  const ProcessResult made = run_process((source_dir() / "scripts/package.sh").string(), {archive});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  ASSERT_EQ(run_process("/usr/bin/tar", {"-C", d.path().string(), "--strip-components=1", "-xzf", archive}).exit_code,
            0);
  const std::string packages = read_bytes(d / "share/likeness/debian-packages.txt");
  for (const char* name : {"libc6\n", "libhdf5-103", "libopencv-core", "libturbojpeg0\n"})
    EXPECT_NE(packages.find(name), std::string::npos) << name;

  ProcessOptions there;
  there.cwd = d.path();
  const auto run = [&](const std::vector<std::string>& args) {
    const ProcessResult r = run_process((d / "bin/likeness").string(), args, there);
    EXPECT_EQ(r.exit_code, 0) << args[1] << "\n" << r.err;
  };
  const std::string recipe = (source_dir() / "configs/synthetic_quick.yaml").string();
  run({"data", "synth", "s.faces.h5", "--identities", "20", "--pictures", "5", "--size", "64"});
  run({"train", recipe, "--set", "data=s.faces.h5", "--set", "steps=3", "--set", "batch=16", "--out", "run"});
  run({"export", "onnx", "run", "m.onnx"});
  // Nothing is taken from where it was built.
  const ProcessResult linked = run_process("/usr/bin/ldd", {(d / "bin/likeness-train").string()});
  EXPECT_EQ(linked.out.find(source_dir().string() + "/"), std::string::npos) << linked.out;
  EXPECT_EQ(linked.out.find("not found"), std::string::npos) << linked.out;
}

}  // namespace
}  // namespace likeness::test
