// Searches a proof of work beside the page, so that typing goes on.
import { solve, type Work } from "@/acts/proofOfWork";

self.onmessage = ({ data }: MessageEvent<Work>) => {
  const solution = solve(data, (done) => self.postMessage({ done }));
  self.postMessage({ solution });
};
