// Runs the design on many inputs: what a host would do over the port, and nothing else.
//
//   simulator FOLDER INPUTS OUTPUTS SAMPLES
//
// FOLDER holds the memory images. INPUTS holds ENTRY_WORDS 32-bit words a sample; OUTPUTS gets
// the whole memory of activations, each layer's cycles and all cycles, for each sample.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "design.cc"
#include "sizes.h"

namespace {

cxxrtl_design::p_top top;
std::uint64_t steps = 0;

void tick() {
  // Settle what hangs on the inputs, then one edge: a falling one would settle all again.
  top.step();
  top.prev_p_clk = cxxrtl::value<1>{0u};
  top.eval();
  top.commit();
  ++steps;
}

void write_word(std::uint32_t region, std::uint32_t index, std::uint32_t word) {
  top.p_address.set<std::uint32_t>(region << 28 | index);
  top.p_write__data.set<std::uint32_t>(word);
  top.p_write.set<bool>(true);
  tick();
  top.p_write.set<bool>(false);
}

std::uint32_t read_word(std::uint32_t region, std::uint32_t index) {
  top.p_address.set<std::uint32_t>(region << 28 | index);
  tick();
  tick();
  tick();  // what is read is one step late in the simulator
  return top.p_read__data.get<std::uint32_t>();
}

std::vector<std::uint32_t> words_of(const std::string &path) {
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(2);
  }
  std::fseek(file, 0, SEEK_END);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(std::ftell(file)) / 4);
  std::rewind(file);
  if (std::fread(words.data(), 4, words.size(), file) != words.size()) std::exit(2);
  std::fclose(file);
  return words;
}

void load(std::uint32_t region, const std::string &path) {
  const auto words = words_of(path);
  for (std::size_t i = 0; i < words.size(); ++i)
    write_word(region, static_cast<std::uint32_t>(i), words[i]);
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 5) return 2;
  const std::string folder = arguments[1];
  const auto inputs = words_of(arguments[2]);
  const long samples = std::strtol(arguments[4], nullptr, 10);
  std::FILE *out = std::fopen(arguments[3], "wb");
  if (out == nullptr) return 2;
  top.p_clk.set<bool>(true);
  load(1, folder + "/descriptors.bin");
  load(2, folder + "/weights.bin");
  load(3, folder + "/parameters.bin");
  const std::clock_t begin = std::clock();
  std::uint64_t running = 0;
  std::vector<std::uint32_t> answer;
  for (long sample = 0; sample < samples; ++sample) {
    for (std::uint32_t i = 0; i < ENTRY_WORDS; ++i)
      write_word(4, ENTRY_INDEX + i, inputs[sample * ENTRY_WORDS + i]);
    const std::uint64_t before = steps;
    write_word(0, 0, 1);
    tick();
    while (top.p_busy.get<bool>()) {
      tick();
      if (steps - before > CYCLE_LIMIT) {
        std::fprintf(stderr, "the design did not end within %llu cycles\n",
                     static_cast<unsigned long long>(CYCLE_LIMIT));
        return 3;
      }
    }
    running += steps - before;
    answer.clear();
    for (std::uint32_t i = 0; i < ACTIVATION_WORDS; ++i) answer.push_back(read_word(4, i));
    for (std::uint32_t i = 0; i < LAYERS; ++i) answer.push_back(read_word(5, i));
    answer.push_back(read_word(0, 1));
    if (std::fwrite(answer.data(), 4, answer.size(), out) != answer.size()) return 2;
    if (sample % 16 == 15 || sample + 1 == samples) {
      std::fprintf(stderr, "%ld/%ld\n", sample + 1, samples);
    }
  }
  std::fclose(out);
  // Processor time: a busy machine does not make the simulator slower.
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("%llu %.6f %llu\n", static_cast<unsigned long long>(steps), seconds,
              static_cast<unsigned long long>(running));
  return 0;
}
