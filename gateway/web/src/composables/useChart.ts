// A chart in an element, in the colours of the pages: drawn anew when its data, its size or the darkness change.
import { init, type EChartsCoreOption, type EChartsType } from "echarts/core";
import { onBeforeUnmount, onMounted, watchEffect, type Ref } from "vue";

/** `options` gets a function that tells the value of a token, such as `--green`. */
export function useChart(
  place: Readonly<Ref<HTMLElement | null>>,
  options: (colour: (token: string) => string) => EChartsCoreOption,
): void {
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  let chart: EChartsType | undefined;
  let resizing: ResizeObserver | undefined;

  function draw(): void {
    const styles = getComputedStyle(document.documentElement);
    const textStyle = { fontFamily: getComputedStyle(document.body).fontFamily };
    chart?.setOption({ animation: false, textStyle, ...options((token) => styles.getPropertyValue(token).trim()) });
  }

  onMounted(() => {
    chart = init(place.value!);
    watchEffect(draw);
    darkness.addEventListener("change", draw);
    resizing = new ResizeObserver(() => chart?.resize());
    resizing.observe(place.value!);
  });
  onBeforeUnmount(() => {
    darkness.removeEventListener("change", draw);
    resizing?.disconnect();
    chart?.dispose();
  });
}
