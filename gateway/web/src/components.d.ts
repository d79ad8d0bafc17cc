// What ESLint knows of a component that is imported; vue-tsc reads the component itself.
declare module "*.vue" {
  import type { Component } from "vue";

  const component: Component;
  export default component;
}
