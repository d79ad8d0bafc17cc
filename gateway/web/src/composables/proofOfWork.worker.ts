// Searches a proof of work beside the page, so that typing goes on.
import { solve, type Work } from "@/composables/proofOfWork";

self.onmessage = ({ data }: MessageEvent<Work>) => {
  const solution = solve(data, (done) => self.postMessage({ done }));
  self.postMessage({ solution });
};
